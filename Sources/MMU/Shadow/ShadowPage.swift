public import Paging

/// One page of shadow entries, and what is known of it. Guarded by its MMU's lock.
///
/// A handle: what is known lies at a place of its own, which the registry of all pages owns, so that
/// pages are passed on, linked and looked at without counting references. The place stays when the page
/// goes back to the pool, and serves its next use with the room it has: a fault that takes a page from
/// a warm pool allocates nothing. **Requires** that the registry is alive.
@usableFromInline
@safe
struct ShadowPage: Equatable {
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

  /// What is known of a page.
  @usableFromInline
  @safe
  struct Facts {
    /// The page of host memory that holds the entries.
    @usableFromInline let pfn: PFN
    /// Its place in the pool.
    @usableFromInline let number: Int
    /// The guest's table; of a direct page the first frame that it maps.
    @usableFromInline var gfn = GFN(0)
    @usableFromInline var role = ShadowRole(level: .pageTable, format: 0)
    /// The entries that point here.
    @usableFromInline var parents: [Parent] = []
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
    @usableFromInline var nextInBucket = ShadowPageRegistry.Link.none
    var older = ShadowPageRegistry.Link.none
    var younger = ShadowPageRegistry.Link.none
    /// One for each entry, once there was a leaf or an MMIO entry.
    @usableFromInline var records: UnsafeMutablePointer<Record>?

    init(pfn: PFN, number: Int) {
      self.pfn = pfn
      self.number = number
    }
  }

  @usableFromInline let storage: UnsafeMutablePointer<Facts>

  /// What is known of the page, in place.
  @inlinable
  var facts: Facts {
    // SAFETY: the registry has initialised it and outlives its pages; the MMU's lock keeps others out.
    @inline(__always) unsafeAddress { unsafe UnsafePointer(storage) }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe storage }
  }

  @inlinable
  init(storage: UnsafeMutablePointer<Facts>) { unsafe self.storage = unsafe storage }

  @inlinable
  static func == (left: ShadowPage, right: ShadowPage) -> Bool {
    unsafe left.storage == right.storage
  }

  /// A page that is not in use.
  static func make(pfn: PFN, number: Int) -> ShadowPage {
    let storage = UnsafeMutablePointer<Facts>.allocate(capacity: 1)
    unsafe storage.initialize(to: Facts(pfn: pfn, number: number))
    return unsafe ShadowPage(storage: storage)
  }

  /// Frees what is known of the page. **Requires** that nobody has a handle left.
  func destroy() {
    // SAFETY: made by `make`, and by nobody else.
    unsafe facts.records?.deallocate()
    unsafe storage.deinitialize(count: 1)
    unsafe storage.deallocate()
  }

  /// Begins another use. **Requires** that the last one is over: no parents, no leaves.
  func begin(_ gfn: GFN, _ role: ShadowRole) {
    facts.gfn = gfn
    facts.role = role
    facts.isInvalid = false
    facts.isFreed = false
    facts.rootCount = 0
    facts.writeCount = 0
  }
}

extension ShadowPage {
  @inlinable var pfn: PFN { facts.pfn }
  @inlinable var number: Int { facts.number }
  @inlinable var gfn: GFN { facts.gfn }
  @inlinable var role: ShadowRole { facts.role }
  @inlinable var isInvalid: Bool { facts.isInvalid }
  @inlinable var isFreed: Bool { facts.isFreed }

  /// Whether the guest may have written its table unseen.
  @inlinable var isUnsync: Bool { facts.unsyncPosition != nil }

  /// Whether it shadows a table in the guest's memory.
  @inlinable var shadowsTable: Bool { !facts.role.isDirect && !facts.role.isTop }

  /// Notes that a fault walks through here.
  @inlinable
  func use(_ fault: UInt64) {
    facts.writeCount = 0
    facts.lastFault = fault
  }

  /// Whether it has records.
  @inlinable var hasRecords: Bool { unsafe facts.records != nil }

  /// What is known of an entry, once the page has records. **Requires** an index below 512.
  @inlinable
  subscript(record index: Int) -> Record {
    @inline(__always) unsafeAddress { unsafe UnsafePointer(record(index)) }
    @inline(__always) nonmutating unsafeMutableAddress { unsafe record(index) }
  }

  @inlinable
  func record(_ index: Int) -> UnsafeMutablePointer<Record> {
    guard let records = unsafe facts.records else {
      preconditionFailure("the page has had no leaf yet")
    }
    // SAFETY: 512 records; the index is masked.
    return unsafe records + (index & 511)
  }

  /// The host address of an entry.
  @inlinable
  func place(of index: Int) -> HPA { pfn.baseAddress.wrappingAdd(UInt64(index) &* 8) }

  /// The number of the entry that covers an address.
  @inlinable
  func index<Input>(of address: Address<Input>) -> Int {
    Int(truncatingIfNeeded: address.rawValue &>> UInt64(3 &+ 9 &* facts.role.level.rawValue)) & 511
  }

  /// The first frame that an entry stands for.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func frame(of index: Int) -> GFN {
    if facts.role.isDirect {
      return gfn.wrappingAdd(UInt64(index) &<< UInt64(9 &* (facts.role.level.rawValue &- 1)))
    }
    return hasRecords ? self[record: index].gfn : GFN(0)
  }

  /// Notes the first frame that an entry stands for.
  @inlinable
  func note(_ frame: GFN, at index: Int) {
    if !hasRecords { makeRecords() }
    self[record: index].gfn = frame
  }

  @usableFromInline
  func makeRecords() {
    let records = UnsafeMutablePointer<Record>.allocate(capacity: 512)
    unsafe records.initialize(repeating: Record(), count: 512)
    unsafe facts.records = unsafe records
  }

  /// Whether some entry of a page leads here, through tables between.
  @usableFromInline
  func isBelow(_ page: ShadowPage) -> Bool {
    guard page.role.level > role.level else { return false }
    return facts.parents.contains { $0.page == page || $0.page.isBelow(page) }
  }

  @usableFromInline
  func removeParent(_ parent: ShadowPage, _ index: Int) {
    var position = facts.parents.count
    while position > 0 {
      position -= 1
      let candidate = facts.parents[position]
      guard candidate.page == parent, candidate.index == index else { continue }
      facts.parents.swapAt(position, facts.parents.count - 1)
      facts.parents.removeLast()
      return
    }
  }
}

extension ShadowPage {
  /// The offset of the guest's entry behind an entry of a page that shadows a table (SPEC F5).
  ///
  /// A table of 1,024 4-byte entries takes two shadow pages, a directory four, in which two entries
  /// stand for one of the guest's.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func guestOffset(of index: Int, entrySize: Int) -> UInt64 {
    let index = UInt64(index)
    guard entrySize == 4 else { return index * 8 }
    return role.level == .pageTable
      ? (role.quadrant * 512 + index) * 4 : (role.quadrant * 256 + index / 2) * 4
  }

  /// The entries that stand for the guest's entry at an offset of its table.
  @usableFromInline
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
  @inlinable  // PERF: fault.shadow
  static func quadrant<Input>(
    of address: Address<Input>, at level: Level, entrySize: Int
  ) -> UInt64 {
    guard entrySize == 4 else { return 0 }
    return level == .pageTable ? address.rawValue >> 21 & 1 : address.rawValue >> 30 & 3
  }
}
