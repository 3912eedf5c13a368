import AccessCases
import Paging
import X86

/// Where the guest that makes one access has what it needs besides the case's own tables.
///
/// Code, descriptor tables, stack and the tables that map them lie in frames that the case does not
/// use, behind an entry of its root table that its walk does not read.
struct CaseLayout {
  /// The pages that are mapped, in the order of their addresses.
  enum Page: Int, CaseIterable {
    case segments, interrupts, task, stack, kernelCode, userCode
  }

  /// RAM from 0 up; frames beyond have slots of their own. **Units** bytes.
  static let ramSize = 4 << 20

  /// The root table.
  let root: GPA
  /// Where the entry that leads to these pages lies.
  let rootEntry: GPA
  /// The tables below the root, from the highest.
  let tables: [GPA]
  /// The frame of each page.
  private let frames: [GPA]
  /// The address of the first page.
  private let base: UInt64

  /// - Returns: `nil` where the case leaves no room.
  init?(_ access: AccessCase, levels: Int, avoiding target: GPA?) {
    root = GPA(access.registers.cr3 & access.features.physicalAddressMask & ~0xFFF)
    let indexes = (0..<5).map { access.address.rawValue >> UInt64(12 + 9 * $0) & 511 }
    let root = root
    // Half of the table's entries lie in each half of the address space: the lower is enough.
    let free = (0..<256 as Range<UInt64>).first { index in
      !indexes.contains(index)
        && access.memory.keys.allSatisfy { $0 != root.rawValue + index * 8 }
    }
    guard let free else { return nil }
    rootEntry = root.wrappingAdd(free * 8)
    base = free << UInt64(12 + 9 * (levels - 1))
    var taken = Set(access.memory.keys.map { $0 >> 12 })
    taken.insert(root.rawValue >> 12)
    if let target { taken.insert(target.rawValue >> 12) }
    let room = (1..<UInt64(Self.ramSize >> 12)).reversed().lazy
      .filter { !taken.contains($0) }.prefix(levels - 1 + Page.allCases.count)
      .map { GPA($0 << 12) }
    guard room.count == levels - 1 + Page.allCases.count else { return nil }
    tables = Array(room.prefix(levels - 1))
    frames = Array(room.dropFirst(levels - 1))
  }

  /// The frame of a page.
  func frame(of page: Page) -> GPA { frames[page.rawValue] }

  /// The address of a page.
  func address(of page: Page) -> UInt64 { base + UInt64(page.rawValue) << 12 }

  /// The entries that map the pages, the root's first; all are marked already, so that the processor
  /// changes none of them.
  var entries: [(at: GPA, value: UInt64)] {
    let present: UInt64 = 1, writable: UInt64 = 2, user: UInt64 = 4, marked: UInt64 = 0x60
    var entries: [(at: GPA, value: UInt64)] = []
    var place = rootEntry
    for table in tables {
      entries.append((place, table.rawValue | present | writable | user | marked))
      place = table
    }
    for page in Page.allCases {
      let right = page == .userCode ? user : 0
      entries.append(
        (
          place.wrappingAdd(UInt64(page.rawValue) * 8),
          frame(of: page).rawValue | present | writable | right | marked
        ))
    }
    return entries
  }
}
