public import Paging

extension GuestMemory {
  /// Brings a frame's page if it is not there yet.
  ///
  /// - Returns: why it is not there now, or `nil` where it is, or where no slot lacks it.
  @usableFromInline
  func fetchMissing(_ gfn: GFN, of slot: Memslot) -> FaultError? {
    guard let missing = slot.missing, missing.lacks(slot.offset(of: gfn)) else {
      return nil
    }
    return missing.fetch(gfn, of: slot, to: host.view)
  }

  /// Brings pages that nobody has asked for yet, lowest first: the stream beside the guest that ends a
  /// post-copy migration.
  ///
  /// - Parameter count: **Units** pages; fewer where a handler gives none now.
  /// - Returns: how many were asked for and came.
  @discardableResult
  public func fetchMissingPages(atMost count: Int) -> Int {
    var done = 0
    for slot in slots.slots {
      guard let missing = slot.missing else { continue }
      for frame in missing.firstMissing(count - done) {
        let gfn = slot.base.wrappingAdd(frame)
        if missing.lacks(frame), missing.fetch(gfn, of: slot, to: host.view) == nil { done += 1 }
      }
    }
    return done
  }

  /// Pages that have come to slots that lacked them, and those that are missing still.
  public var missingPages: (fetched: Int, remaining: Int) {
    slots.slots.reduce(into: (0, 0)) {
      $0.0 += $1.missing?.fetched ?? 0
      $0.1 += $1.missing?.remaining ?? 0
    }
  }
}
