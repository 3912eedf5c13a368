import Paging
import X86

/// Tells which roots are the kernel's own, from which those of processes are made.
///
/// It maps nothing below the upper part, and it is part of the kernel's image while the tables of
/// processes are allocated. Tables of processes that ended may map nothing below either, so where
/// more than one root is left, memory must show the image: four and five levels map it in the last
/// 2 GiB, the 32-bit modes map its code read-only in front of its data. Where memory shows neither,
/// none is named. **Source** Linux behaviour.
struct KernelReference {
  private let judge: TableJudge

  init(_ judge: TableJudge) { self.judge = judge }

  /// The kernel's own among the roots of one family; `nil` where memory does not show it.
  func choose(among family: [FoundRoot]) -> FoundRoot? {
    guard let first = family.first, first.upperCount > 0, family.count > 1,
      let fewest = family.map(\.lowerCount).min(),
      family.contains(where: { $0.lowerCount > fewest })
    else { return nil }
    let bare = family.filter { $0.lowerCount == fewest }
    if bare.count == 1 { return bare[0] }
    switch first.mode {
    case .long4, .long5:
      let inImage = bare.filter { isInImage($0, levels: $0.mode == .long5 ? 5 : 4) }
      return inImage.count == 1 ? inImage[0] : nil
    default:
      guard let end = endOfCode(first) else { return nil }
      let behind = bare.filter { $0.address >= end && $0.address - end < Self.largestData }
      return behind.min { $0.address < $1.address }
    }
  }

  /// How far behind its code a kernel's data may lie. **Units** bytes.
  private static var largestData: UInt64 { 64 << 20 }

  /// Bits 51:21.
  private static var largePageMask: UInt64 { 0x000F_FFFF_FFE0_0000 }

  /// Whether the second last GiB of addresses maps the root.
  private func isInImage(_ root: FoundRoot, levels: Int) -> Bool {
    var table = root.address
    for level in stride(from: levels, to: 2, by: -1) {
      let entry = judge.entry(table, level == 3 ? 510 : 511)
      guard entry & 0x81 == 1 else { return false }
      table = entry & TableJudge.addressMask
    }
    for index in 0..<512 {
      let entry = judge.entry(table, index)
      guard entry & 1 != 0 else { continue }
      if entry & 0x80 != 0 {
        if (entry ^ root.address) & Self.largePageMask == 0 { return true }
        continue
      }
      for place in 0..<512 {
        let page = judge.entry(entry & TableJudge.addressMask, place)
        if page & 1 != 0, (page ^ root.address) & TableJudge.addressMask == 0 { return true }
      }
    }
    return false
  }

  /// Where the longest run of read-only pages ends that lie side by side in memory too.
  private func endOfCode(_ root: FoundRoot) -> UInt64? {
    var best: (size: UInt64, end: UInt64) = (0, 0)
    var current: (size: UInt64, end: UInt64) = (0, 0)
    func add(_ page: UInt64, _ size: UInt64, isWritable: Bool) {
      if isWritable {
        current = (0, 0)
      } else if current.size > 0, current.end == page {
        current = (current.size + size, page + size)
      } else {
        current = (size, page + size)
      }
      if current.size > best.size { best = current }
    }
    if root.mode == .pae {
      let directory = judge.entry(root.address, 3) & TableJudge.addressMask
      for index in 0..<512 {
        let entry = judge.entry(directory, index)
        guard entry & 1 != 0 else { continue }
        if entry & 0x80 != 0 {
          add(entry & Self.largePageMask, 2 << 20, isWritable: entry & 2 != 0)
          continue
        }
        for place in 0..<512 {
          let page = judge.entry(entry & TableJudge.addressMask, place)
          if page & 1 != 0 {
            add(page & TableJudge.addressMask, 4096, isWritable: page & entry & 2 != 0)
          }
        }
      }
    } else {
      for index in 768..<1024 {
        let entry = judge.narrowEntry(root.address, index)
        guard entry & 1 != 0 else { continue }
        if entry & 0x80 != 0 {
          add(UInt64(entry & 0xFFC0_0000), 4 << 20, isWritable: entry & 2 != 0)
          continue
        }
        for place in 0..<1024 {
          let page = judge.narrowEntry(UInt64(entry & 0xFFFF_F000), place)
          if page & 1 != 0 {
            add(UInt64(page & 0xFFFF_F000), 4096, isWritable: page & entry & 2 != 0)
          }
        }
      }
    }
    return best.size > 0 ? best.end : nil
  }
}
