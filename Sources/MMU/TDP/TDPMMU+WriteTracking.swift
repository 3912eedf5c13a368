public import Paging

extension TDPMMU {
  /// Has every write to frames told to a tracker, whoever makes it: their leaves are without W, a
  /// write of the guest's exits and is done by software. **Requires** that the caller is outside.
  ///
  /// - Returns: the number to end it by.
  public func trackWrites(to frames: Range<GFN>, by tracker: some WriteTracker) -> Int {
    pacing.step(.trackedFrames, isChange: true)
    let id = tracked.add(frames.rawValues, tracker)
    memory.track(by: TrackedWrites(tracked: tracked))
    // Faults that saw the frames untracked are done after this.
    synchronize()
    zap(frames, because: .writeTracking)
    return id
  }

  /// Ends what `trackWrites(to:by:)` began; nothing where the number is none of its.
  public func stopTrackingWrites(_ id: Int) {
    pacing.step(.trackedFrames, isChange: true)
    guard let frames = tracked.remove(id) else { return }
    zap(GFN(frames.lowerBound)..<GFN(frames.upperBound))
  }

  /// Records a write that software made for a vCPU, and tells who tracks it.
  public func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) {
    refresh(&cpu)
    if let slot = cpu.plainSlots.slot(for: gpa.frame, hint: &cpu.slotHint),
      slot.activeMethod != nil
    {
      markDirty(gpa.frame.rawValue, count: 1, of: slot, by: cpu.dirtyRing)
    }
    pacing.step(.trackedFrames, isChange: false)
    tracked.tell(gpa, byteCount: byteCount)
  }
}

/// Hands on what is written from outside.
private struct TrackedWrites: WriteTracker {
  let tracked: TrackedFrames

  func memoryWritten(_ gpa: GPA, byteCount: Int) { tracked.tell(gpa, byteCount: byteCount) }
}
