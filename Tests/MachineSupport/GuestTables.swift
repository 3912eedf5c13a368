package import MMU
package import Paging

/// Four-level guest tables, written into guest memory entry by entry.
package final class GuestTables {
  /// P, R/W and U/S.
  package static let userFlags: UInt64 = 7
  /// What CR3 names.
  package let root: GPA
  private let memory: GuestMemory
  private var next: GPA

  /// Tables from `root` upwards.
  package init(in memory: GuestMemory, root: GPA) {
    self.memory = memory
    self.root = root
    next = root.wrappingAdd(4096)
  }

  /// Where the entry of a level is, tables made on the way.
  package func place(_ gva: UInt64, level: Int, flags: UInt64 = userFlags) -> GPA {
    var table = root
    for current in stride(from: 4, through: level, by: -1) {
      let entry = table.wrappingAdd((gva >> UInt64(3 + 9 * current) & 511) * 8)
      if current == level { return entry }
      if peek(entry) & 1 == 0 {
        poke(entry, next.rawValue | flags)
        next = next.wrappingAdd(4096)
      }
      table = GPA(peek(entry) & 0x000F_FFFF_FFFF_F000)
    }
    return table
  }

  /// Maps one page of a level.
  package func map(
    _ gva: UInt64, to gpa: UInt64, flags: UInt64 = userFlags, level: Int = 1
  ) {
    poke(place(gva, level: level), gpa | flags | (level > 1 ? 0x80 : 0))
  }

  /// The entry at a guest address, 0 in a hole.
  package func peek(_ gpa: GPA) -> UInt64 {
    guard case .success(let entry) = memory.view.load(gpa, as: UInt64.self) else { return 0 }
    return entry
  }

  /// Writes an entry, read-only slots included.
  package func poke(_ gpa: GPA, _ entry: UInt64) {
    let words = [entry.littleEndian]
    // SAFETY: an array of integers has no padding.
    _ = unsafe memory.view.write(words.span.bytes, at: gpa)
  }
}
