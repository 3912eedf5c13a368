import Paging

/// When a guest last invalidated what on one vCPU, as times of a ledger; 0 for never.
struct Flushes: Sendable {
  private var everything: UInt64 = 0
  private var allNonGlobals: UInt64 = 0
  private var nonGlobals: [UInt16: UInt64] = [:]
  private var pages: [(gva: GVA, tag: UInt16, time: UInt64)] = []
  private var secondLevels: [UInt64: UInt64] = [:]
  private var allSecondLevels: UInt64 = 0

  /// Notes an invalidation.
  mutating func note(_ scope: TLBInvalidation, _ time: UInt64) {
    switch scope {
    case .nothing: break
    case .everything: everything = time
    case .allNonGlobals: allNonGlobals = time
    case .nonGlobals(let tag): nonGlobals[tag] = time
    case .page(let gva, let tag):
      if pages.count == TranslationLedger.mostPages { pages.removeFirst() }
      pages.append((gva, tag, time))
    }
  }

  /// Notes an invalidation of what is cached of a second level, or of all.
  ///
  /// - Parameter root: the address of its root table.
  mutating func note(secondLevel root: GPA?, _ time: UInt64) {
    guard let root else {
      allSecondLevels = time
      return
    }
    if secondLevels.count == TranslationLedger.mostPages { secondLevels = [:] }
    secondLevels[root.rawValue] = time
  }

  /// The last invalidation that concerned a page: INVLPG drops all of a large page, and globals of any
  /// address space (SPEC W16).
  func last(of gva: GVA, size: PageSize, tag: UInt16, isGlobal: Bool) -> UInt64 {
    let page = gva.roundedDown(to: size)
    let single =
      pages.last {
        $0.gva.roundedDown(to: size) == page && (isGlobal || $0.tag == tag)
      }?.time ?? 0
    if isGlobal { return max(everything, single) }
    return max(max(everything, single), max(allNonGlobals, nonGlobals[tag] ?? 0))
  }

  /// The last invalidation of a second level, which drops the linear addresses behind it too.
  func last(ofSecondLevel root: GPA?) -> UInt64 {
    max(allSecondLevels, root.flatMap { secondLevels[$0.rawValue] } ?? 0)
  }
}
