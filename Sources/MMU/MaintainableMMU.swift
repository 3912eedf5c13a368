public import Paging

/// An MMU whose entries the host can age, unmap and watch for writes while its guests run.
public protocol MaintainableMMU: VirtualMMU {
  /// Begins to record which pages of a slot are written.
  func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, isInitiallySet: Bool, usesRings: Bool, splitBudget: Int
  ) throws(DirtyLogError)
  /// Ends the recording.
  func stopDirtyLog(slot id: Int) throws(DirtyLogError)
  /// The pages that were written, bit 0 of word 0 for the slot's first; clean from now on if wanted.
  func dirtyPages(ofSlot id: Int, clearing: Bool) throws(DirtyLogError) -> [UInt64]
  /// Counts, and as wanted forgets, which leaves of a range were used.
  func age(_ range: Range<GFN>, clearing: Bool) -> Int
  /// Takes the leaves of a range away while the host changes what is behind it.
  func unmapHost(_ range: Range<GFN>, _ change: () -> Void) -> Int
  /// One period's recovery of large pages that gave way to fetches: how many.
  func recoverNXHugePages() -> Int
}

extension TDPMMU: MaintainableMMU {}
