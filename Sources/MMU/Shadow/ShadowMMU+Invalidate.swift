extension ShadowMMU {
  /// Gives up every shadow page; vCPUs get new roots when they next enter.
  public func invalidateAll() {
    locked {
      refreshSlots()
      zapAll()
    }
  }
}
