public import Paging

/// One page of shadow entries, and what is known of it. Guarded by its MMU's lock.
///
/// The object of a page of host memory stays when the page goes back to the pool, and serves its next
/// use with the room it has: a fault that takes a page from a warm pool allocates nothing.
@usableFromInline
final class ShadowPage {
  /// Where an entry that points to a page is.
  @usableFromInline
  struct Parent {
    @usableFromInline let page: ShadowPage
    @usableFromInline let index: Int

    @usableFromInline
    init(page: ShadowPage, index: Int) {
      self.page = page
      self.index = index
    }
  }

  /// What is known of one entry.
  @usableFromInline
  struct Record {
    /// The first frame that a leaf or MMIO entry stands for; of direct pages not kept.
    @usableFromInline var gfn = GFN(0)
    /// The leaves beside this one in the reverse map.
    @usableFromInline var links = ReverseMap.Links()

    @usableFromInline
    init() {}
  }

  /// The page of host memory that holds the entries.
  @usableFromInline let pfn: PFN
  /// Its place in the pool.
  @usableFromInline let number: Int
  /// The guest's table; of a direct page the first frame that it maps.
  @usableFromInline private(set) var gfn = GFN(0)
  @usableFromInline private(set) var role = ShadowRole(level: .pageTable, format: 0)
  /// The entries that point here.
  @usableFromInline var parents: [Parent] = []
  /// One for each entry, once there was a leaf or an MMIO entry.
  @usableFromInline var records: [Record] = []
  /// Where it is in the list of those whose table the guest may have written since they were last
  /// brought in step.
  @usableFromInline var unsyncPosition: Int?
  /// Whether it is out of use, kept only until the last vCPU has left it as a root.
  @usableFromInline var isInvalid = false
  /// Whether its memory was given back.
  @usableFromInline var isFreed = true
  /// How many vCPUs hold it as a root.
  @usableFromInline var rootCount = 0
  /// Writes to the guest's table since a fault last walked through here.
  @usableFromInline var writeCount = 0
  /// The MMU's number of the last fault that walked through here. **Units** faults.
  @usableFromInline var lastFault: UInt64 = 0
  /// The registry's links: the next page of the same hash, and the pages made before and after.
  var nextInBucket, older, younger: ShadowPageRegistry.Link

  init(pfn: PFN, number: Int) {
    self.pfn = pfn
    self.number = number
    (nextInBucket, older, younger) = (.none, .none, .none)
  }

  /// Begins another use. **Requires** that the last one is over: no parents, no leaves.
  func begin(_ gfn: GFN, _ role: ShadowRole) {
    self.gfn = gfn
    self.role = role
    isInvalid = false
    isFreed = false
    rootCount = 0
    writeCount = 0
  }

  /// Whether the guest may have written its table unseen.
  @usableFromInline var isUnsync: Bool { unsyncPosition != nil }

  /// Whether it shadows a table in the guest's memory.
  @usableFromInline var shadowsTable: Bool { !role.isDirect && !role.isTop }

  /// The host address of an entry.
  @usableFromInline
  func place(of index: Int) -> HPA { pfn.baseAddress.wrappingAdd(UInt64(index) &* 8) }

  /// The number of the entry that covers an address.
  @usableFromInline
  func index<Input>(of address: Address<Input>) -> Int { Self.index(of: address, at: role.level) }

  static func index<Input>(of address: Address<Input>, at level: Level) -> Int {
    Int(truncatingIfNeeded: address.rawValue &>> UInt64(3 &+ 9 &* level.rawValue)) & 511
  }

  /// The first frame that an entry stands for.
  @usableFromInline
  func frame(of index: Int) -> GFN {
    if role.isDirect {
      return gfn.wrappingAdd(UInt64(index) &<< UInt64(9 &* (role.level.rawValue &- 1)))
    }
    return index < records.count ? records[index].gfn : GFN(0)
  }

  /// Notes the first frame that an entry stands for.
  @usableFromInline
  func note(_ frame: GFN, at index: Int) {
    if records.isEmpty { records = Array(repeating: Record(), count: 512) }
    records[index].gfn = frame
  }

  /// Whether some entry of a page leads here, through tables between.
  @usableFromInline
  func isBelow(_ page: ShadowPage) -> Bool {
    guard page.role.level > role.level else { return false }
    return parents.contains { $0.page === page || $0.page.isBelow(page) }
  }

  @usableFromInline
  func removeParent(_ parent: ShadowPage, _ index: Int) {
    var position = parents.count
    while position > 0 {
      position -= 1
      guard parents[position].page === parent, parents[position].index == index else { continue }
      parents.swapAt(position, parents.count - 1)
      parents.removeLast()
      return
    }
  }
}

extension ShadowPage {
  /// The offset of the guest's entry behind an entry of a page that shadows a table (SPEC F5).
  ///
  /// A table of 1,024 4-byte entries takes two shadow pages, a directory four, in which two entries
  /// stand for one of the guest's.
  @usableFromInline
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
  @usableFromInline
  static func quadrant<Input>(
    of address: Address<Input>, at level: Level, entrySize: Int
  ) -> UInt64 {
    guard entrySize == 4 else { return 0 }
    return level == .pageTable ? address.rawValue >> 21 & 1 : address.rawValue >> 30 & 3
  }
}
