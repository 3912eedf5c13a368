import Paging

/// When a guest last invalidated what on one vCPU, as times of a ledger; 0 for never.
struct Flushes: Sendable {
  private var everything: UInt64 = 0
  private var allNonGlobals: UInt64 = 0
  private var nonGlobals: [UInt16: UInt64] = [:]
  private var pages: [(gva: GVA, tag: UInt16, time: UInt64)] = []

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
}
