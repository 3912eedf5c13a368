public import Paging

extension TLB {
  /// Drops what an instruction or event drops.
  @inlinable
  public mutating func invalidate(_ scope: TLBInvalidation) {
    switch scope {
    case .nothing: break
    case .page(let gva, let tag): invalidate(page: gva, tag: tag)
    case .nonGlobals(let tag): drop { !$0.isGlobal && $0.tag == tag }
    case .allNonGlobals:
      if holdsGlobals { drop { !$0.isGlobal } } else { dropAll() }  // PERF: switch.shadow
    case .everything: dropAll()
    }
  }

  @inlinable
  var placeCount: Int { (Int(truncatingIfNeeded: setMask) &+ 1) &* ways }

  /// Drops one page and, where it is a fragment, its siblings.
  @inlinable
  mutating func invalidate(page gva: GVA, tag: UInt16) {
    let page = gva.rawValue &>> 12
    let first = firstPlace(of: page)
    let places = holdsFragments ? 0..<placeCount : first..<(first &+ ways)
    for place in places {
      // SAFETY: places are below the count.
      if unsafe pages[place] != Self.noPage, concerns(place, page, tag: tag) {
        unsafe pages[place] = Self.noPage
      }
    }
  }

  @inlinable
  mutating func dropAll() {
    unsafe pages.update(repeating: Self.noPage, count: placeCount)
    holdsFragments = false
    holdsGlobals = false
  }

  @inlinable
  mutating func drop(where condition: (TLBEntry<Rights>) -> Bool) {
    for place in 0..<placeCount {
      // SAFETY: where a place has a page, it has an entry.
      if unsafe pages[place] != Self.noPage, unsafe condition(entries[place]) {
        unsafe pages[place] = Self.noPage
      }
    }
  }
}
