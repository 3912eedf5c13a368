public import Paging
import Synchronization

/// Changes of whole ranges. They come one after another (the roots are lent to one at a time); faults
/// go on meanwhile. None may be called by a vCPU that is inside.
extension TDPMMU {
  /// Waits until no vCPU uses a translation from before this call, in its TLB or in a walk under way.
  public func synchronize() { walkers.synchronize(pacing) }

  /// How often every translation had to leave all TLBs.
  public var flushCount: UInt64 { walkers.changeCount }

  /// Takes away every entry of the frames of a range; tables that lie inside it wait until nobody can
  /// walk them and go back to the pool (SPEC T1).
  ///
  /// - Parameters:
  ///   - range: the frames.
  ///   - reason: what whoever looks for stale translations is told.
  /// - Returns: the number of leaves taken away.
  @discardableResult
  public func zap(
    _ range: Range<GFN>, because reason: StaleTranslation.HostOperation.Kind
  ) -> Int {
    let slots = currentSlots()
    return withRoots { roots in
      var removal = Removal()
      for root in roots {
        zap(root, at: encoder.rootLevel, first: 0, range.rawValues, slots, &removal)
      }
      memory.noteChange(reason, of: range)
      walkers.synchronize(pacing)
      for page in removal.pages { giveBack(page) }
      return removal.leaves
    }
  }

  /// As `zap(_:because:)`, for no reason in particular.
  @discardableResult
  public func zap(_ range: Range<GFN>) -> Int { zap(range, because: .zap) }

  /// Tells the MMU that the host changes the memory behind a range (SPEC T5): its leaves go, its faults
  /// wait, nobody uses it while `change` runs.
  ///
  /// - Returns: the number of leaves taken away.
  @discardableResult
  public func unmapHost(_ range: Range<GFN>, _ change: () -> Void = {}) -> Int {
    pacing.step(.notifier, isChange: true)
    notifier.begin(range)
    defer {
      pacing.step(.notifier, isChange: true)
      notifier.end(range)
    }
    // Faults that began before the warning are done when this returns.
    walkers.synchronize(pacing)
    let leaves = zap(range, because: .unmap)
    change()
    return leaves
  }

  /// How often the host has changed memory behind the guest.
  public var notifierSequence: UInt64 { notifier.sequence.load(ordering: .acquiring) }

  /// Changes the memslots and drops what the tables hold of the frames concerned (SPEC T8).
  ///
  /// - Parameters:
  ///   - range: the frames that mean something else after the change.
  ///   - change: makes the new entry of the old one.
  /// - Throws: what `change` throws.
  public func updateSlots(
    dropping range: Range<GFN>, _ change: (MemslotTable) throws(MemslotError) -> MemslotTable
  ) throws(MemslotError) {
    waitForUpdates()
    try memory.update(change) { _ in
      walkers.synchronize(pacing)
      zap(range, because: .memslots)
      pacing.step(.memslots, isChange: true)
    }
  }

  /// Counts, and as wanted forgets, which leaves of a range were used (SPEC T4). Where hardware keeps A
  /// nothing is flushed, so that a use that the TLB answers may go unseen until its entry leaves.
  ///
  /// - Returns: the leaves that were used.
  @discardableResult
  public func age(_ range: Range<GFN>, clearing: Bool) -> Int {
    withRoots { roots in
      var young = 0
      var isTracked = false
      forEachLeaf(in: range, roots) { place, spte, level, _ in
        guard encoder.isAccessed(spte) else { return }
        young += 1
        guard clearing, alter(place, spte, at: level, encoder.aged) != nil else { return }
        if !encoder.hasHardwareAD(spte) { isTracked = true }
      }
      if isTracked {
        memory.noteChange(.ageing, of: range)
        walkers.synchronize(pacing)
      }
      return young
    }
  }

  /// The tables and leaves that a zap took out.
  struct Removal {
    var pages: [PFN] = []
    var leaves = 0
  }

  private func zap(
    _ table: PFN, at level: Level, first: UInt64, _ range: Range<UInt64>, _ slots: [MemslotTable],
    _ removal: inout Removal
  ) {
    let nonPresent = encoder.layout.nonPresent
    forEachEntry(of: table, at: level, first: first, in: range) { place, spte, gfn in
      if spte == nonPresent { return }
      let isInside = gfn >= range.lowerBound && gfn &+ span(of: level) <= range.upperBound
      if !isInside, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) {
        return zap(
          encoder.pfn(of: spte), at: level.below, first: gfn, range, slots, &removal)
      }
      // Frozen first: nobody links another table here while this one is taken apart.
      guard case .success(let raw) = host.swap(place, to: encoder.layout.frozen.rawValue) else {
        return
      }
      takeOut(SPTE(raw), at: level, first: gfn, slots, &removal)
      _ = host.swap(place, to: nonPresent.rawValue)
    }
  }

  private func takeOut(
    _ spte: SPTE, at level: Level, first gfn: UInt64, _ slots: [MemslotTable],
    _ removal: inout Removal
  ) {
    guard encoder.isPresent(spte) else { return }
    if encoder.isLeaf(spte, at: level) {
      removal.leaves += 1
      return recordDirty(spte, at: level, first: gfn, in: slots)
    }
    let table = encoder.pfn(of: spte)
    for (index, old) in freeze(table).enumerated() {
      takeOut(
        old, at: level.below, first: gfn &+ UInt64(index) &* span(of: level.below), slots,
        &removal)
    }
    removal.pages.append(table)
  }

  /// Frames under one entry of a level. **Units** frames.
  @inlinable
  func span(of level: Level) -> UInt64 { 1 &<< UInt64(9 &* (level.rawValue &- 1)) }

  /// Calls for each entry of one table that covers frames of a set.
  @inlinable
  func forEachEntry(
    of table: PFN, at level: Level, first: UInt64, in frames: some FrameSet,
    _ body: (_ place: HPA, _ spte: SPTE, _ gfn: UInt64) -> Void
  ) {
    let step = span(of: level)
    let end = first &+ step &* 512
    var next = first
    while let frame = frames.first(from: next), frame < end {
      let gfn = frame & ~(step &- 1)
      let place = entry(for: GFN(gfn), in: table, at: level)
      body(place, load(place), gfn)
      next = gfn &+ step
    }
  }

  /// Calls for each present leaf that covers frames of a range; a leaf that becomes a table in the call
  /// is gone through too.
  @inlinable
  func forEachLeaf(
    in range: Range<GFN>, _ roots: [PFN],
    _ body: (_ place: HPA, _ spte: SPTE, _ level: Level, _ gfn: UInt64) -> Void
  ) {
    forEachLeaf(among: range.rawValues, roots, body)
  }

  /// As above, for the leaves that cover frames of a set, and for none of a level below `lowest`.
  @inlinable
  func forEachLeaf(
    among frames: some FrameSet, downTo lowest: Level = .pageTable, _ roots: [PFN],
    _ body: (_ place: HPA, _ spte: SPTE, _ level: Level, _ gfn: UInt64) -> Void
  ) {
    for root in roots {
      forEachLeaf(
        of: root, at: encoder.rootLevel, first: 0, among: frames, downTo: lowest, body)
    }
  }

  @inlinable
  func forEachLeaf(
    of table: PFN, at level: Level, first: UInt64, among frames: some FrameSet,
    downTo lowest: Level,
    _ body: (_ place: HPA, _ spte: SPTE, _ level: Level, _ gfn: UInt64) -> Void
  ) {
    forEachEntry(of: table, at: level, first: first, in: frames) { place, spte, gfn in
      var spte = spte
      if encoder.isPresent(spte), encoder.isLeaf(spte, at: level) {
        body(place, spte, level, gfn)
        if level > lowest { spte = load(place) }
      }
      guard level > lowest, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else {
        return
      }
      forEachLeaf(
        of: encoder.pfn(of: spte), at: level.below, first: gfn, among: frames, downTo: lowest,
        body)
    }
  }

  /// Changes a present leaf whoever else changes it meanwhile.
  ///
  /// - Returns: what it held before, or `nil` where nothing was to be changed.
  @inlinable
  @discardableResult
  func alter(
    _ place: HPA, _ seen: SPTE, at level: Level, _ transform: (SPTE) -> SPTE
  ) -> SPTE? {
    var old = seen
    while encoder.isPresent(old), encoder.isLeaf(old, at: level) {
      let new = transform(old)
      if new == old { return nil }
      assert(encoder.breach(storing: new, over: old, at: level) == nil, "SPTE \(new) over \(old)")
      guard
        case .success(let (exchanged, original)) = host.exchange(
          place, expected: old.rawValue, desired: new.rawValue)
      else { return nil }
      if exchanged { return old }
      old = SPTE(original)
    }
    return nil
  }
}

extension Range<GFN> {
  @inlinable
  var rawValues: Range<UInt64> { lowerBound.rawValue..<upperBound.rawValue }
}
