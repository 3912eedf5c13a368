import Paging

/// One page of shadow entries, and what is known of it. Guarded by its MMU's lock.
final class ShadowPage {
  /// Where an entry that points to a page is.
  struct Parent {
    let page: ShadowPage
    let index: Int
  }

  /// The page of host memory that holds the entries.
  let pfn: PFN
  /// The guest's table; of a direct page the first frame that it maps.
  let gfn: GFN
  let role: ShadowRole
  /// The entries that point here.
  var parents: [Parent] = []
  /// The frames that leaves and MMIO entries stand for; empty in direct pages, where they follow.
  var gfns: [GFN] = []
  /// Whether the guest may have written its table since this page was last brought in step.
  var isUnsync = false
  /// Whether it is out of use, kept only until the last vCPU has left it as a root.
  var isInvalid = false
  /// Whether its memory was given back.
  var isFreed = false
  /// How many vCPUs hold it as a root.
  var rootCount = 0
  /// Writes to the guest's table since a fault last walked through here.
  var writeCount = 0

  init(pfn: PFN, gfn: GFN, role: ShadowRole) {
    self.pfn = pfn
    self.gfn = gfn
    self.role = role
  }

  /// Whether it shadows a table in the guest's memory.
  var shadowsTable: Bool { !role.isDirect && !role.isTop }

  /// The host address of an entry.
  func place(of index: Int) -> HPA { pfn.baseAddress.wrappingAdd(UInt64(index) &* 8) }

  /// The number of the entry that covers an address.
  func index(of gva: GVA) -> Int { Self.index(of: gva, at: role.level) }

  static func index(of gva: GVA, at level: Level) -> Int {
    Int(truncatingIfNeeded: gva.rawValue &>> UInt64(3 &+ 9 &* level.rawValue)) & 511
  }

  /// The first frame that an entry stands for.
  func frame(of index: Int) -> GFN {
    if role.isDirect {
      return gfn.wrappingAdd(UInt64(index) &<< UInt64(9 &* (role.level.rawValue &- 1)))
    }
    return index < gfns.count ? gfns[index] : GFN(0)
  }

  /// Notes the first frame that an entry stands for.
  func note(_ frame: GFN, at index: Int) {
    if role.isDirect { return }
    if gfns.isEmpty { gfns = Array(repeating: GFN(0), count: 512) }
    gfns[index] = frame
  }

  /// Whether some entry of a page leads here, through tables between.
  func isBelow(_ page: ShadowPage) -> Bool {
    guard page.role.level > role.level else { return false }
    return parents.contains { $0.page === page || $0.page.isBelow(page) }
  }

  func removeParent(_ parent: ShadowPage, _ index: Int) {
    guard
      let position = parents.firstIndex(where: { $0.page === parent && $0.index == index })
    else { return }
    parents.swapAt(position, parents.count - 1)
    parents.removeLast()
  }
}

extension ShadowPage {
  /// The offset of the guest's entry behind an entry of a page that shadows a table (SPEC F5).
  ///
  /// A table of 1,024 4-byte entries takes two shadow pages, a directory four, in which two entries
  /// stand for one of the guest's.
  func guestOffset(of index: Int, entrySize: Int) -> UInt64 {
    let index = UInt64(index)
    guard entrySize == 4 else { return index * 8 }
    return role.level == .pageTable
      ? (role.quadrant * 512 + index) * 4 : (role.quadrant * 256 + index / 2) * 4
  }

  /// The entries that stand for the guest's entry at an offset of its table.
  func indices(ofGuestOffset offset: UInt64, entrySize: Int) -> Range<Int> {
    let number = Int(offset) / entrySize
    guard entrySize == 4 else { return number..<(number + 1) }
    if role.level == .pageTable {
      return number >> 9 == Int(role.quadrant) ? number & 511..<(number & 511) + 1 : 0..<0
    }
    let first = (number & 255) * 2
    return number >> 8 == Int(role.quadrant) ? first..<first + 2 : 0..<0
  }

  /// The quadrant of a page that covers an address.
  static func quadrant(of gva: GVA, at level: Level, entrySize: Int) -> UInt64 {
    guard entrySize == 4 else { return 0 }
    return level == .pageTable ? gva.rawValue >> 21 & 1 : gva.rawValue >> 30 & 3
  }
}
