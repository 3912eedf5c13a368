package import Paging

extension GuestMemory {
  /// Keeps bytes, slots and logs as they are now. **Requires** that nobody writes or changes slots
  /// meanwhile, and that what hardware has noted of writes has been collected.
  ///
  /// - Throws: as `HostMemory.snapshot()`.
  package func snapshot() throws(SnapshotError) -> GuestMemorySnapshot {
    let all = allSlots
    return GuestMemorySnapshot(
      host: try host.snapshot(), slots: savedSlots, privateRuns: attributes.runs,
      logs: all.compactMap { slot in slot.dirtyLog.map { ($0, $0.snapshot) } },
      missing: all.compactMap { slot in slot.missing.map { ($0, $0.snapshot) } })
  }

  /// Puts bytes, slots and logs back.
  ///
  /// To whoever follows a log, restoring is a write: what it changes counts as written, with what was
  /// marked at the snapshot.
  ///
  /// - Parameters:
  ///   - tables: the table pages, which stay as they are; `nil` where they are put back too, with the
  ///     generation that their MMIO entries carry. Otherwise the generation moves on.
  /// - Throws: as `HostMemory.restore(_:sparing:)`; then nothing else happened.
  package func restore(
    _ snapshot: GuestMemorySnapshot, sparing tables: Range<HPA>?
  ) throws(SnapshotError) {
    let changed = try host.restore(snapshot.host, sparing: tables ?? HPA(0)..<HPA(0))
    attributes.put(back: snapshot.privateRuns)
    put(back: snapshot.slots, withGenerations: tables == nil)
    for (pages, words) in snapshot.missing { pages.restore(words) }
    for (log, words) in snapshot.logs { log.replaceMarks(by: words) }
    let logged = allSlots.filter { $0.activeLog != nil }
    for slot in logged {
      guard let log = slot.activeLog, let first = slot.host?.frame else { continue }
      let end = first.wrappingAdd(slot.frameCount)
      for pfn in changed[changed.partition(first)..<changed.partition(end)] {
        log.mark(pfn.rawValue &- first.rawValue)
      }
    }
  }
}

extension [PFN] {
  /// The index of the first frame that is not below another. **Requires** ascending order.
  fileprivate func partition(_ frame: PFN) -> Int {
    var low = startIndex
    var high = endIndex
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < frame { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
