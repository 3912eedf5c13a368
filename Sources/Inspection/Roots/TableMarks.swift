import Paging
import X86

/// The tables below accepted roots: none of them is a root itself.
struct TableMarks {
  private let judge: TableJudge
  /// A bit a level at which a page has been visited.
  private var visited: [UInt8]
  private var roots: Set<UInt64> = []

  init(_ judge: TableJudge) {
    self.judge = judge
    visited = [UInt8](repeating: 0, count: judge.pages.count)
  }

  /// Whether a place lies in a page that is a lower table of a root.
  func contains(_ address: UInt64) -> Bool {
    guard let page = judge.pages.number(of: address) else { return false }
    return visited[page] != 0
  }

  /// Marks all tables below a root, each page once a level.
  mutating func mark(_ candidate: RootCandidate) {
    let root = candidate.root.rawValue
    switch candidate.mode {
    case .long4: markWide(root, at: 4, root: root)
    case .long5: markWide(root, at: 5, root: root)
    case .pae:
      for index in 0..<4 {
        let entry = judge.entry(root, index)
        if entry & 1 != 0 { visit(entry & TableJudge.addressMask, at: 2, root: root) }
      }
    default:
      for index in 0..<1024 {
        let entry = judge.narrowEntry(root, index)
        if entry & 0x81 == 1 { visit(UInt64(entry & 0xFFFF_F000), at: 1, root: root) }
      }
    }
  }

  private mutating func markWide(_ table: UInt64, at level: Int, root: UInt64) {
    guard level > 1 else { return }
    for index in 0..<512 {
      let entry = judge.entry(table, index)
      guard entry & 1 != 0, entry & 0x80 == 0 else { continue }
      visit(entry & TableJudge.addressMask, at: level - 1, root: root)
    }
  }

  private mutating func visit(_ table: UInt64, at level: Int, root: UInt64) {
    // A root that maps itself stays a root.
    guard table != root, let page = judge.pages.number(of: table) else { return }
    let bit = UInt8(1) << UInt8(level)
    guard visited[page] & bit == 0 else { return }
    visited[page] |= bit
    markWide(table, at: level, root: root)
  }
}
