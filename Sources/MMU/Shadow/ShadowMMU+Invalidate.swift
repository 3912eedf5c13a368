public import Paging

extension ShadowMMU: UnmappableMMU {
  /// Gives up every shadow page; vCPUs get new roots when they next enter.
  public func invalidateAll() {
    locked {
      refreshSlots()
      zapAll()
    }
  }

  /// Takes every mapping of a range away, and keeps it unmapped while the host changes what is behind
  /// it (SPEC F10): faults on the range try again.
  ///
  /// - Parameter change: what the host does meanwhile; it may not call the MMU.
  /// - Returns: how many leaves there were.
  @discardableResult
  public func unmapHost(_ range: Range<GFN>, _ change: () -> Void = {}) -> Int {
    var count = 0
    locked {
      activeNotifiers.append(range)
      for page in registry.oldestFirst { count += unmap(range, in: page) }
    }
    change()
    locked {
      notifierSequence &+= 1
      if let index = activeNotifiers.firstIndex(of: range) { activeNotifiers.remove(at: index) }
    }
    return count
  }

  private func unmap(_ range: Range<GFN>, in page: ShadowPage) -> Int {
    var count = 0
    let frames = UInt64(1) << UInt64(9 * (page.role.level.rawValue - 1))
    for index in 0..<512 {
      let spte = load(page.place(of: index))
      guard encoder.isPresent(spte), encoder.isLeaf(spte, at: page.role.level) else { continue }
      let first = page.frame(of: index)
      if first < range.upperBound, first.wrappingAdd(frames) > range.lowerBound {
        drop(page, index)
        count += 1
      }
    }
    return count
  }
}
