public import Paging

/// All shadow pages of an MMU: by frame and role, by guest table, by host page, by age.
///
/// Pages are linked through themselves: by hash of their frame, and from the oldest to the youngest.
@usableFromInline
final class ShadowPageRegistry {
  /// A page by its number in the pool, or none.
  struct Link: Equatable {
    private let raw: Int32

    static var none: Link { Link(raw: -1) }
    init(_ page: ShadowPage) { raw = Int32(truncatingIfNeeded: page.number) }
    private init(raw: Int32) { self.raw = raw }
    /// The number, or `nil` for no page.
    var number: Int? { raw < 0 ? nil : Int(raw) }
  }

  private let first: PFN
  /// By number, used now or not.
  private var pages: [ShadowPage] = []
  /// The first page of each hash; a power of two of them.
  private var heads: [Link] = Array(repeating: .none, count: 256)
  private var oldest: Link = .none
  private var youngest: Link = .none
  /// How many frames of each 2 MiB and each 1 GiB are tables, so that nothing large is mapped there.
  private var tablesPer2MiB: [UInt64: Int] = [:]
  private var tablesPer1GiB: [UInt64: Int] = [:]
  /// Pages that are not freed.
  private(set) var count = 0

  init(first: PFN) { self.first = first }

  /// The page of a number that was used once.
  subscript(number number: Int) -> ShadowPage { pages[number] }

  /// The page in a host page.
  @usableFromInline
  func page(at pfn: PFN) -> ShadowPage? {
    let index = Int(truncatingIfNeeded: pfn.rawValue &- first.rawValue)
    guard index >= 0, index < pages.count, !pages[index].isFreed else { return nil }
    return pages[index]
  }

  /// The page of a frame and role.
  @usableFromInline
  func find(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    var next = heads[bucket(gfn)]
    while let page = page(next) {
      if page.gfn == gfn, page.role == role { return page }
      next = page.nextInBucket
    }
    return nil
  }

  /// The pages that shadow the table in a frame: the first, and below the next.
  @usableFromInline
  func firstTable(at gfn: GFN) -> ShadowPage? { table(at: gfn, from: heads[bucket(gfn)]) }

  /// The page after one that shadows the same table; asked before that one is retired.
  @usableFromInline
  func nextTable(after page: ShadowPage) -> ShadowPage? {
    table(at: page.gfn, from: page.nextInBucket)
  }

  private func table(at gfn: GFN, from link: Link) -> ShadowPage? {
    var next = link
    while let page = page(next) {
      if page.gfn == gfn, page.shadowsTable { return page }
      next = page.nextInBucket
    }
    return nil
  }

  /// Whether a frame of the page of a level that holds `gfn` is a table.
  @usableFromInline
  func hasTables(around gfn: GFN, at level: Level) -> Bool {
    switch level {
    case .pageTable: firstTable(at: gfn) != nil
    case .directory: tablesPer2MiB[gfn.rawValue >> 9] != nil
    default: tablesPer1GiB[gfn.rawValue >> 18] != nil
    }
  }

  /// The oldest page, and below the one made after another.
  var oldestPage: ShadowPage? { page(oldest) }

  /// The page made after another; asked before that one is forgotten.
  func page(after page: ShadowPage) -> ShadowPage? { self.page(page.younger) }

  /// Pages that are not freed, oldest first.
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
    while pages.count <= number {
      let next = first.wrappingAdd(UInt64(pages.count))
      pages.append(ShadowPage(pfn: next, number: pages.count))
    }
    let page = pages[number]
    page.begin(gfn, role)
    count += 1
    page.older = youngest
    page.younger = .none
    if let last = self.page(youngest) { last.younger = Link(page) } else { oldest = Link(page) }
    youngest = Link(page)
    if !role.isTop {
      if page.shadowsTable, firstTable(at: gfn) == nil { count(gfn, 1) }
      if count > heads.count { grow() }
      link(page)
    }
    return page
  }

  /// Takes a page out of the hash and of write tracking; its memory is still its own.
  @usableFromInline
  func retire(_ page: ShadowPage) {
    if page.role.isTop { return }
    let bucket = bucket(page.gfn)
    if heads[bucket] == Link(page) {
      heads[bucket] = page.nextInBucket
    } else {
      var next = heads[bucket]
      while let other = self.page(next) {
        next = other.nextInBucket
        if next == Link(page) {
          other.nextInBucket = page.nextInBucket
          break
        }
      }
    }
    page.nextInBucket = .none
    if page.shadowsTable, firstTable(at: page.gfn) == nil { count(page.gfn, -1) }
  }

  /// Forgets a retired page.
  @usableFromInline
  func forget(_ page: ShadowPage) {
    page.isFreed = true
    count -= 1
    if let older = self.page(page.older) {
      older.younger = page.younger
    } else {
      oldest = page.younger
    }
    if let younger = self.page(page.younger) {
      younger.older = page.older
    } else {
      youngest = page.older
    }
  }

  private func page(_ link: Link) -> ShadowPage? { link.number.map { pages[$0] } }

  private func link(_ page: ShadowPage) {
    let bucket = bucket(page.gfn)
    page.nextInBucket = heads[bucket]
    heads[bucket] = Link(page)
  }

  private func bucket(_ gfn: GFN) -> Int {
    let hash = (gfn.rawValue &* 0x9E37_79B9_7F4A_7C15) >> 40
    return Int(truncatingIfNeeded: hash) & (heads.count - 1)
  }

  private func grow() {
    let old = heads
    heads = Array(repeating: .none, count: old.count * 2)
    for head in old {
      var next = head
      while let page = page(next) {
        next = page.nextInBucket
        link(page)
      }
    }
  }

  private func count(_ gfn: GFN, _ change: Int) {
    func add(_ number: UInt64, _ counts: inout [UInt64: Int]) {
      let sum = counts[number, default: 0] + change
      counts[number] = sum == 0 ? nil : sum
    }
    add(gfn.rawValue >> 9, &tablesPer2MiB)
    add(gfn.rawValue >> 18, &tablesPer1GiB)
  }
}
