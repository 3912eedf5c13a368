import Paging

/// All shadow pages of an MMU: by frame and role, by guest table, by host page, by age.
struct ShadowPageRegistry {
  private struct Key: Hashable {
    let gfn: GFN
    let role: ShadowRole
  }

  private let first: PFN
  private var byPFN: [ShadowPage?] = []
  private var byKey: [Key: ShadowPage] = [:]
  /// The pages that shadow each guest table: its frame is write-tracked while there is one.
  private var tables: [GFN: [ShadowPage]] = [:]
  /// How many frames of each 2 MiB and each 1 GiB are tables, so that nothing large is mapped there.
  private var tablesPerLarge: [Level: [UInt64: Int]] = [.directory: [:], .directoryPointer: [:]]
  /// Oldest first; pages that were freed are passed over and swept now and then.
  private var ages: [ShadowPage] = []
  /// Pages that are not freed.
  private(set) var count = 0

  init(first: PFN) { self.first = first }

  /// The page in a host page.
  func page(at pfn: PFN) -> ShadowPage? {
    let index = Int(truncatingIfNeeded: pfn.rawValue &- first.rawValue)
    return index >= 0 && index < byPFN.count ? byPFN[index] : nil
  }

  /// The page of a frame and role.
  func find(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? { byKey[Key(gfn: gfn, role: role)] }

  /// The pages that shadow the table in a frame.
  func tables(at gfn: GFN) -> [ShadowPage] { tables[gfn] ?? [] }

  /// Whether a frame of the page of a level that holds `gfn` is a table.
  func hasTables(around gfn: GFN, at level: Level) -> Bool {
    if level == .pageTable { return tables[gfn] != nil }
    return tablesPerLarge[level]?[gfn.rawValue >> UInt64(9 * (level.rawValue - 1))] != nil
  }

  /// Pages that are not freed, oldest first.
  var oldestFirst: [ShadowPage] { ages.filter { !$0.isFreed } }

  /// The oldest page that meets a condition.
  func oldest(where condition: (ShadowPage) -> Bool) -> ShadowPage? {
    ages.first { !$0.isFreed && condition($0) }
  }

  /// Takes a page in.
  mutating func insert(_ page: ShadowPage) {
    let index = Int(page.pfn.rawValue - first.rawValue)
    while byPFN.count <= index { byPFN.append(nil) }
    byPFN[index] = page
    count += 1
    if ages.count > 2 * count + 64 { ages.removeAll(where: \.isFreed) }
    ages.append(page)
    if page.role.isTop { return }
    byKey[Key(gfn: page.gfn, role: page.role)] = page
    if page.shadowsTable { track(page) }
  }

  /// Takes a page out of the hash and of write tracking; its memory is still its own.
  mutating func retire(_ page: ShadowPage) {
    if page.role.isTop { return }
    let key = Key(gfn: page.gfn, role: page.role)
    if byKey[key] === page { byKey[key] = nil }
    if page.shadowsTable { untrack(page) }
  }

  /// Forgets a retired page.
  mutating func forget(_ page: ShadowPage) {
    page.isFreed = true
    count -= 1
    byPFN[Int(page.pfn.rawValue - first.rawValue)] = nil
  }

  private mutating func track(_ page: ShadowPage) {
    if tables[page.gfn] == nil { count(page.gfn, 1) }
    tables[page.gfn, default: []].append(page)
  }

  private mutating func untrack(_ page: ShadowPage) {
    guard var pages = tables[page.gfn], let index = pages.firstIndex(where: { $0 === page })
    else { return }
    pages.remove(at: index)
    tables[page.gfn] = pages.isEmpty ? nil : pages
    if pages.isEmpty { count(page.gfn, -1) }
  }

  private mutating func count(_ gfn: GFN, _ change: Int) {
    for level in [Level.directory, .directoryPointer] {
      let number = gfn.rawValue >> UInt64(9 * (level.rawValue - 1))
      let sum = (tablesPerLarge[level]?[number] ?? 0) + change
      tablesPerLarge[level]?[number] = sum == 0 ? nil : sum
    }
  }
}
