public import Paging

/// All shadow pages of an MMU: by frame and role, by guest table, by host page, by age.
///
/// Pages are linked through themselves: by hash of their frame, and from the oldest to the youngest.
@usableFromInline
final class ShadowPageRegistry {
  /// A page by its number in the pool, or none.
  @usableFromInline
  struct Link: Equatable {
    @usableFromInline let raw: Int32

    static var none: Link { Link(raw: -1) }
    init(_ page: ShadowPage) { raw = Int32(truncatingIfNeeded: page.number) }
    private init(raw: Int32) { self.raw = raw }
    /// The number, or `nil` for no page.
    @inlinable var number: Int? { raw < 0 ? nil : Int(raw) }
  }

  /// What is known of all pages.
  @usableFromInline
  struct Contents {
    /// By number, used now or not.
    @usableFromInline var pages: [ShadowPage] = []
    /// The first page of each hash; a power of two of them.
    @usableFromInline var heads: [Link] = Array(repeating: .none, count: 256)
    var oldest: Link = .none
    var youngest: Link = .none
    /// How many frames of each 2 MiB and each 1 GiB are tables, so that nothing large is mapped there.
    var tablesPer2MiB: [UInt64: Int] = [:]
    var tablesPer1GiB: [UInt64: Int] = [:]
    /// Pages that are not freed.
    var count = 0
  }

  @usableFromInline let first: PFN
  @usableFromInline let state = LockedState(Contents())

  init(first: PFN) { self.first = first }

  deinit { for page in contents.pages { page.destroy() } }

  @inlinable
  var contents: Contents {
    // SAFETY: as `LockedState.value`.
    @inline(__always) unsafeAddress { unsafe UnsafePointer(state.place) }
    @inline(__always) unsafeMutableAddress { unsafe state.place }
  }

  /// Pages that are not freed.
  var count: Int { contents.count }

  /// The page of a number that was used once.
  @inlinable
  subscript(number number: Int) -> ShadowPage { contents.pages[number] }

  /// The page in a host page.
  @inlinable  // PERF: fault.shadow
  func page(at pfn: PFN) -> ShadowPage? {
    let index = Int(truncatingIfNeeded: pfn.rawValue &- first.rawValue)
    guard index >= 0, index < contents.pages.count, !contents.pages[index].isFreed else {
      return nil
    }
    return contents.pages[index]
  }

  /// The page of a frame and role.
  @usableFromInline
  func find(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    var next = contents.heads[bucket(gfn)]
    while let page = page(next) {
      if page.gfn == gfn, page.role == role { return page }
      next = page.facts.nextInBucket
    }
    return nil
  }

  /// The pages that shadow the table in a frame: the first, and below the next.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func firstTable(at gfn: GFN) -> ShadowPage? { table(at: gfn, from: contents.heads[bucket(gfn)]) }

  /// The page after one that shadows the same table; asked before that one is retired.
  @inlinable
  func nextTable(after page: ShadowPage) -> ShadowPage? {
    table(at: page.gfn, from: page.facts.nextInBucket)
  }

  @inlinable
  @inline(__always)  // PERF: sync.shadow; most frames are no table, and end at the first look.
  func table(at gfn: GFN, from link: Link) -> ShadowPage? {
    var next = link
    while let page = page(next) {
      if page.gfn == gfn, page.shadowsTable { return page }
      next = page.facts.nextInBucket
    }
    return nil
  }

  /// Whether a frame of the page of a level that holds `gfn` is a table.
  @usableFromInline
  func hasTables(around gfn: GFN, at level: Level) -> Bool {
    switch level {
    case .pageTable: firstTable(at: gfn) != nil
    case .directory: contents.tablesPer2MiB[gfn.rawValue >> 9] != nil
    default: contents.tablesPer1GiB[gfn.rawValue >> 18] != nil
    }
  }

  /// The oldest page, and below the one made after another.
  var oldestPage: ShadowPage? { page(contents.oldest) }

  /// The page made after another; asked before that one is forgotten.
  func page(after page: ShadowPage) -> ShadowPage? { self.page(page.facts.younger) }

  /// Pages that are not freed, oldest first.
  @usableFromInline
  var oldestFirst: [ShadowPage] {
    var result: [ShadowPage] = []
    var next = oldestPage
    while let page = next {
      result.append(page)
      next = self.page(after: page)
    }
    return result
  }

  /// Takes a page of host memory into use.
  @usableFromInline
  func make(_ pfn: PFN, _ gfn: GFN, _ role: ShadowRole) -> ShadowPage {
    let number = Int(pfn.rawValue - first.rawValue)
    while contents.pages.count <= number {
      let next = first.wrappingAdd(UInt64(contents.pages.count))
      contents.pages.append(.make(pfn: next, number: contents.pages.count))
    }
    let page = contents.pages[number]
    page.begin(gfn, role)
    contents.count += 1
    page.facts.older = contents.youngest
    page.facts.younger = .none
    if let last = self.page(contents.youngest) {
      last.facts.younger = Link(page)
    } else {
      contents.oldest = Link(page)
    }
    contents.youngest = Link(page)
    if !role.isTop {
      if page.shadowsTable, firstTable(at: gfn) == nil { count(gfn, 1) }
      if contents.count > contents.heads.count { grow() }
      link(page)
    }
    return page
  }

  /// Takes a page out of the hash and of write tracking; its memory is still its own.
  @usableFromInline
  func retire(_ page: ShadowPage) {
    if page.role.isTop { return }
    let bucket = bucket(page.gfn)
    if contents.heads[bucket] == Link(page) {
      contents.heads[bucket] = page.facts.nextInBucket
    } else {
      var next = contents.heads[bucket]
      while let other = self.page(next) {
        next = other.facts.nextInBucket
        if next == Link(page) {
          other.facts.nextInBucket = page.facts.nextInBucket
          break
        }
      }
    }
    page.facts.nextInBucket = .none
    if page.shadowsTable, firstTable(at: page.gfn) == nil { count(page.gfn, -1) }
  }

  /// Forgets a retired page.
  @usableFromInline
  func forget(_ page: ShadowPage) {
    page.facts.isFreed = true
    contents.count -= 1
    if let older = self.page(page.facts.older) {
      older.facts.younger = page.facts.younger
    } else {
      contents.oldest = page.facts.younger
    }
    if let younger = self.page(page.facts.younger) {
      younger.facts.older = page.facts.older
    } else {
      contents.youngest = page.facts.older
    }
  }

  @inlinable
  func page(_ link: Link) -> ShadowPage? { link.number.map { contents.pages[$0] } }

  private func link(_ page: ShadowPage) {
    let bucket = bucket(page.gfn)
    page.facts.nextInBucket = contents.heads[bucket]
    contents.heads[bucket] = Link(page)
  }

  @inlinable
  func bucket(_ gfn: GFN) -> Int {
    let hash = (gfn.rawValue &* 0x9E37_79B9_7F4A_7C15) >> 40
    return Int(truncatingIfNeeded: hash) & (contents.heads.count - 1)
  }

  private func grow() {
    let old = contents.heads
    contents.heads = Array(repeating: .none, count: old.count * 2)
    for head in old {
      var next = head
      while let page = page(next) {
        next = page.facts.nextInBucket
        link(page)
      }
    }
  }

  private func count(_ gfn: GFN, _ change: Int) {
    func add(_ number: UInt64, _ counts: inout [UInt64: Int]) {
      let sum = counts[number, default: 0] + change
      counts[number] = sum == 0 ? nil : sum
    }
    add(gfn.rawValue >> 9, &contents.tablesPer2MiB)
    add(gfn.rawValue >> 18, &contents.tablesPer1GiB)
  }
}
