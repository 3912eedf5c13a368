public import Paging

extension ShadowMMU: MaintainableMMU where Guest: ShadowedProcessor {}

/// The host's upkeep of shadow tables (SPEC T3–T5), each frame's leaves found by the reverse map.
///
/// Nothing is repaired without the lock (E5): a leaf gets W back by a fault that walks the guest's
/// tables again.
extension ShadowMMU {
  /// Begins to record which pages of a slot are written, by taking W away.
  ///
  /// Large leaves go and come back small, so that `splitBudget` is not used.
  /// - Throws: `DirtyLogError.needsSecondLevel` for methods in which hardware notes the pages: the D
  ///   bits of shadow tables follow the guest's.
  public func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, isInitiallySet: Bool, usesRings: Bool, splitBudget: Int
  ) throws(DirtyLogError) {
    guard let slot = memory.slots[id: id] else { throw .memslot(.unknown(id: id)) }
    if slot.activeLog != nil { throw .running(slot: id) }
    if method != .writeProtect { throw .needsSecondLevel(method) }
    if usesRings { throw .noRings }
    guard
      let log = DirtyLog(
        frameCount: slot.frameCount, method: method, isInitiallySet: isInitiallySet)
    else { throw .tooLarge(frames: slot.frameCount) }
    try change(id) {
      $0.dirtyLog = log
      $0.flags.insert(.logsDirtyPages)
    } invalidate: {
      if !isInitiallySet { logWrites(of: slot.base..<slot.end) }
    }
    synchronize()
  }

  /// Ends the recording; W comes back fault by fault.
  public func stopDirtyLog(slot id: Int) throws(DirtyLogError) {
    _ = try logged(id)
    try change(id) {
      $0.dirtyLog = nil
      $0.flags.remove(.logsDirtyPages)
    } invalidate: {
    }
  }

  /// The pages of a slot that were written, bit 0 of word 0 for its first frame.
  public func dirtyPages(ofSlot id: Int, clearing: Bool) throws(DirtyLogError) -> [UInt64] {
    let (slot, log) = try logged(id)
    guard clearing else { return log.snapshot }
    var words = [UInt64](repeating: 0, count: log.wordCount)
    locked {
      refreshSlots()
      for index in words.indices {
        var word = log.take(~0, at: index)
        words[index] = word
        while word != 0 {
          let gfn = slot.base.wrappingAdd(UInt64(index * 64 + word.trailingZeroBitCount))
          logWrites(of: gfn..<gfn.wrappingAdd(1))
          word &= word - 1
        }
      }
    }
    // What is copied after this call misses no store that was under way.
    synchronize()
    return words
  }

  /// Counts, and as wanted forgets, which leaves of a range were used (SPEC T4). Nothing is flushed: a
  /// use that a TLB answers may go unseen until its entry leaves.
  public func age(_ range: Range<GFN>, clearing: Bool) -> Int {
    var young = 0
    locked {
      forEachLeaf(in: range) { page, index in
        let place = page.place(of: index)
        let old = load(place)
        guard encoder.isAccessed(old) else { return }
        young += 1
        if clearing { store(place, encoder.aged(old)) }
      }
    }
    return young
  }

  /// Takes every leaf of a range away, and keeps it unmapped while the host changes what is behind it
  /// (SPEC F10): faults on the range try again.
  ///
  /// - Parameters:
  ///   - range: the frames.
  ///   - change: what the host does meanwhile; it may not call the MMU.
  /// - Returns: the number of leaves taken away.
  @discardableResult
  public func unmapHost(_ range: Range<GFN>, _ change: () -> Void = {}) -> Int {
    var leaves = 0
    locked {
      state.activeNotifiers.append(range)
      state.reason = .unmap
      forEachLeaf(in: range) { page, index in
        drop(page, index)
        leaves += 1
      }
      state.reason = .tableSync
    }
    synchronize()
    change()
    locked {
      state.notifierSequence &+= 1
      if let index = state.activeNotifiers.firstIndex(of: range) {
        state.activeNotifiers.remove(at: index)
      }
    }
    return leaves
  }

  /// None: shadow tables keep X in large pages.
  public func recoverNXHugePages() -> Int { 0 }

  private func logged(_ id: Int) throws(DirtyLogError) -> (Memslot, DirtyLog) {
    guard let slot = memory.slots[id: id] else { throw .memslot(.unknown(id: id)) }
    guard let log = slot.activeLog else { throw .notRunning(slot: id) }
    return (slot, log)
  }

  private func change(
    _ id: Int, _ body: (inout Memslot) -> Void, invalidate: () -> Void
  ) throws(DirtyLogError) {
    do throws(MemslotError) {
      try memory.update { table throws(MemslotError) in
        guard var slot = table[id: id] else { throw .unknown(id: id) }
        body(&slot)
        return try table.replacing(slot)
      } invalidate: { _ in
        locked {
          refreshSlots()
          invalidate()
        }
      }
    } catch { throw .memslot(error) }
  }

  /// Makes the next write to each frame of a range a fault.
  private func logWrites(of range: Range<GFN>) {
    state.reason = .dirtyLog
    defer { state.reason = .tableSync }
    forEachLeaf(in: range) { page, index in
      if page.role.level > .pageTable { return drop(page, index) }
      let place = page.place(of: index)
      let old = load(place)
      guard encoder.isWritable(old) else { return }
      store(place, encoder.writeProtected(old))
      memory.noteChange(.dirtyLog, of: frames(of: page, index))
      state.needsFlush = true
    }
  }

  /// Calls once for each leaf whose page has a frame of a range; the call may drop it. Frame by frame,
  /// unless there are more frames than entries.
  private func forEachLeaf(in range: Range<GFN>, _ body: (ShadowPage, Int) -> Void) {
    let count = range.upperBound.rawValue - range.lowerBound.rawValue
    if count > UInt64(reverseMap.count) { return forEachLeafOfAll(in: range, body) }
    for offset in 0..<count {
      let gfn = range.lowerBound.wrappingAdd(offset)
      for level in [Level.pageTable, .directory, .directoryPointer] {
        let isFirst = offset == 0 || gfn.rawValue & (Self.frames(at: level) - 1) == 0
        if isFirst { reverseMap.forEachLeaf(of: gfn, at: level, body) }
      }
    }
  }

  private func forEachLeafOfAll(in range: Range<GFN>, _ body: (ShadowPage, Int) -> Void) {
    for page in registry.oldestFirst {
      let frames = Self.frames(at: page.role.level)
      for index in 0..<512 where reverseMap.contains(page, index) {
        let first = page.frame(of: index)
        if first < range.upperBound, first.wrappingAdd(frames) > range.lowerBound {
          body(page, index)
        }
      }
    }
  }

  private static func frames(at level: Level) -> UInt64 { 1 << UInt64(9 * (level.rawValue - 1)) }
}
