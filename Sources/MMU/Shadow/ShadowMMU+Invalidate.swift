import Paging

extension ShadowMMU {
  /// Waits until no vCPU uses a translation from before this call.
  public func synchronize() { walkers.synchronize(FreeRunning()) }

  /// Gives up every shadow page; vCPUs get new roots when they next enter.
  public func invalidateAll() {
    locked {
      refreshSlots()
      zapAll()
    }
  }

  /// Gives up what was made since the restore began: a vCPU's new root was read from tables that are
  /// others by now (faults left to the guest, SPEC E19).
  public func memoryRestored() { invalidateAll() }
}
