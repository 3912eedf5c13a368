public import Paging

/// The host's upkeep reaches the shared EPT alone: private pages are neither logged nor aged nor moved.
///
/// **Source** KVM behaviour (`KVM_MEM_GUEST_MEMFD` with `KVM_MEM_LOG_DIRTY_PAGES`).
extension TDXMMU: MaintainableMMU {
  /// Begins to record which pages of a slot without private memory are written.
  ///
  /// - Throws: also `DirtyLogError.unsupported`: there is no page-modification log.
  public func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, isInitiallySet: Bool, usesRings: Bool, splitBudget: Int
  ) throws(DirtyLogError) {
    if method == .pageModificationLog { throw .unsupported(method) }
    try shared.startDirtyLog(
      slot: id, method, isInitiallySet: isInitiallySet, usesRings: usesRings,
      splitBudget: splitBudget)
  }

  /// Ends the recording.
  public func stopDirtyLog(slot id: Int) throws(DirtyLogError) { try shared.stopDirtyLog(slot: id) }

  /// The shared pages that were written.
  public func dirtyPages(
    ofSlot id: Int, clearing: Bool
  ) throws(DirtyLogError) -> [UInt64] {
    try shared.dirtyPages(ofSlot: id, clearing: clearing)
  }

  /// The shared leaves that were used.
  public func age(_ range: Range<GFN>, clearing: Bool) -> Int {
    shared.age(range, clearing: clearing)
  }

  /// Of the shared half.
  public func recoverNXHugePages() -> Int { shared.recoverNXHugePages() }

  /// The shared leaves taken away.
  public func unmapHost(_ range: Range<GFN>, _ change: () -> Void) -> Int {
    shared.unmapHost(range, change)
  }
}
