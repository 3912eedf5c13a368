public import Paging

extension ShadowMMU {
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
  /// - Parameter body: what the host does meanwhile; it may not call the MMU.
  public func unmap(_ range: Range<GFN>, during body: () -> Void = {}) {
    locked {
      activeNotifiers.append(range)
      for page in registry.oldestFirst { unmap(range, in: page) }
    }
    body()
    locked {
      notifierSequence &+= 1
      if let index = activeNotifiers.firstIndex(of: range) { activeNotifiers.remove(at: index) }
    }
  }

  private func unmap(_ range: Range<GFN>, in page: ShadowPage) {
    let frames = UInt64(1) << UInt64(9 * (page.role.level.rawValue - 1))
    for index in 0..<512 {
      let spte = load(page.place(of: index))
      guard encoder.isPresent(spte), encoder.isLeaf(spte, at: page.role.level) else { continue }
      let first = page.frame(of: index)
      if first < range.upperBound, first.wrappingAdd(frames) > range.lowerBound {
        drop(page, index)
      }
    }
  }
}
