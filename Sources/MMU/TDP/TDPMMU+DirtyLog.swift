public import Paging
import Synchronization

/// Why dirty pages cannot be logged.
public enum DirtyLogError: Error, Sendable, Hashable {
  /// No slot has this number, or a change of it is refused.
  case memslot(MemslotError)
  /// The slot is logged already.
  case running(slot: Int)
  /// The slot is not logged.
  case notRunning(slot: Int)
  /// The entries have no D that hardware sets.
  case needsDirtyBit(DirtyMethod)
  /// Shadow tables have D bits, which are not the host's to read.
  case needsSecondLevel(DirtyMethod)
  /// The MMU has no rings.
  case noRings
  /// The slot has private memory, whose writes the host cannot follow.
  case privateMemory(slot: Int)
  /// The processor cannot do it for this kind of machine.
  case unsupported(DirtyMethod)
  /// More than a log can cover. **Units** frames.
  case tooLarge(frames: UInt64)
}

extension DirtyLogError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .memslot(let error): "\(error)"
    case .running(let slot): "memslot \(slot) is logged already"
    case .notRunning(let slot): "memslot \(slot) is not logged"
    case .needsDirtyBit(let method): "method \(method.rawValue) needs D bits that hardware sets"
    case .privateMemory(let slot):
      "memslot \(slot) has private memory, whose writes cannot be logged"
    case .unsupported(let method): "method \(method.rawValue) is not there for trust domains"
    case .needsSecondLevel(let method):
      "method \(method.rawValue) needs a second level (shadow tables: write-protect)"
    case .noRings: "the machine was composed without dirty rings"
    case .tooLarge(let frames):
      "a log of \(frames) frames (allowed: \(DirtyLog.largestFrameCount))"
    }
  }
}

extension TDPMMU {
  /// Begins to record which pages of a slot are written (SPEC T3).
  ///
  /// - Parameters:
  ///   - id: the memslot's number.
  ///   - method: how writes are found.
  ///   - isInitiallySet: all pages count as written and nothing is protected until they are cleared.
  ///   - usesRings: marks go to the writing vCPU's ring.
  ///   - splitBudget: large pages are split at once, for at most so many table pages; the others when
  ///     they are written. **Units** pages.
  public func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, isInitiallySet: Bool = false, usesRings: Bool = false,
    splitBudget: Int = 0
  ) throws(DirtyLogError) {
    guard let slot = memory.slot(id: id) else { throw .memslot(.unknown(id: id)) }
    if slot.activeLog != nil { throw .running(slot: id) }
    if slot.privateHost != nil { throw .privateMemory(slot: id) }
    let marks = encoder.layout.masks
    if method != .writeProtect, marks.dirty == 0 { throw .needsDirtyBit(method) }
    if usesRings, ringSize == nil { throw .noRings }
    guard
      let log = DirtyLog(
        frameCount: slot.frameCount, method: method, isInitiallySet: isInitiallySet,
        usesRings: usesRings)
    else { throw .tooLarge(frames: slot.frameCount) }
    waitForUpdates()
    count(method, by: 1)
    do throws(MemslotError) {
      try memory.update { table throws(MemslotError) in
        guard var slot = table[id: id] else { throw .unknown(id: id) }
        slot.dirtyLog = log
        slot.flags.insert(.logsDirtyPages)
        return try table.replacing(slot)
      } invalidate: { _ in
        // Faults that saw the slot without its log are done after this.
        walkers.synchronize(pacing)
        if !isInitiallySet {
          withRoots { roots in
            protect(slot.base.rawValue..<slot.end.rawValue, of: slot, log.method, roots)
            walkers.synchronize(pacing)
          }
        }
        pacing.step(.memslots, isChange: true)
      }
    } catch {
      count(method, by: -1)
      throw .memslot(error)
    }
    if splitBudget > 0 { _ = splitLargePages(in: slot.base..<slot.end, budget: splitBudget) }
  }

  /// Ends the recording; W comes back fault by fault.
  public func stopDirtyLog(slot id: Int) throws(DirtyLogError) {
    let (_, log) = try logged(id)
    waitForUpdates()
    do throws(MemslotError) {
      try memory.update { table throws(MemslotError) in
        guard var slot = table[id: id] else { throw .unknown(id: id) }
        slot.dirtyLog = nil
        slot.flags.remove(.logsDirtyPages)
        return try table.replacing(slot)
      } invalidate: { _ in
        walkers.synchronize(pacing)
        // Or the next log would begin with the writes of this one.
        drainModificationLogs()
        pacing.step(.memslots, isChange: true)
      }
    } catch { throw .memslot(error) }
    count(log.method, by: -1)
  }

  /// The pages of a slot that were written, bit 0 of word 0 for its first frame.
  ///
  /// - Parameters:
  ///   - id: the memslot's number.
  ///   - clearing: whether they count as clean from now on. Whoever copies them after this
  ///     call misses no write: a later one is marked again.
  @inlinable
  public func dirtyPages(ofSlot id: Int, clearing: Bool) throws(DirtyLogError) -> [UInt64] {
    let (slot, log) = try logged(id)
    return withRoots { roots in
      let found = collect(slot, log, roots)
      guard clearing else {
        if found {
          memory.noteChange(.dirtyLog, of: slot.base..<slot.end)
          walkers.synchronize(pacing)
        }
        return log.snapshot
      }
      let words = (0..<log.wordCount).map { take(~0, at: $0, of: log) }
      protect(MarkedFrames(words, from: slot.base.rawValue), of: slot, log.method, roots)
      walkers.synchronize(pacing)
      return words
    }
  }

  /// Declares pages clean that a look without clearing had found.
  ///
  /// - Parameters:
  ///   - id: the memslot's number.
  ///   - firstWord: the word that `words` begins with. **Units** words of 64 frames.
  ///   - words: the bits, 64 pages a word.
  public func clearDirtyPages(
    ofSlot id: Int, firstWord: Int, _ words: [UInt64]
  ) throws(DirtyLogError) {
    let (slot, log) = try logged(id)
    withRoots { roots in
      var taken = [UInt64](repeating: 0, count: log.wordCount)
      for (index, word) in words.enumerated() {
        let (place, overflow) = firstWord.addingReportingOverflow(index)
        guard !overflow, taken.indices.contains(place) else { continue }
        taken[place] = take(word, at: place, of: log)
      }
      protect(MarkedFrames(taken, from: slot.base.rawValue), of: slot, log.method, roots)
      walkers.synchronize(pacing)
    }
  }

  /// The entries that the vCPUs have added to their rings since the last harvest.
  public func harvestDirtyRings() -> [DirtyRingEntry] {
    withRoots { _ in
      drainModificationLogs()
      pacing.step(.dirtyMarks, isChange: true)
      return rings.flatMap { $0.harvest() }
    }
  }

  /// Frees the places of harvested entries and protects their pages again; what is copied after this
  /// call misses no write.
  ///
  /// - Returns: the entries whose places are free now.
  @discardableResult
  public func resetDirtyRings() -> [DirtyRingEntry] {
    let slots = Dictionary(uniqueKeysWithValues: memory.allSlots.map { ($0.id, $0) })
    return withRoots { roots in
      pacing.step(.dirtyMarks, isChange: true)
      let entries = rings.flatMap { $0.takeHarvested() }
      for entry in Set(entries) {
        guard let slot = slots[entry.slot], let log = slot.activeLog else { continue }
        let gfn = slot.base.wrappingAdd(entry.offset)
        forEachLeaf(in: gfn..<gfn.wrappingAdd(1), roots) { place, spte, level, first in
          guard maps(spte, GFN(first), of: slot) else { return }
          alter(place, spte, at: level) { protected($0, at: level, log.method) }
        }
        memory.noteChange(.dirtyLog, of: gfn..<gfn.wrappingAdd(1))
      }
      walkers.synchronize(pacing)
      return entries
    }
  }

  /// A vCPU whose ring is full does not enter the guest.
  @inlinable  // PERF: access.mmio.cached
  public func pendingStop(_ cpu: TDPContext) -> (cause: ExitCause, error: FaultError)? {
    guard let ring = cpu.dirtyRing, ring.isSoftFull else { return nil }
    return (.dirtyRingFull, .dirtyRingFull(vcpu: cpu.index))
  }

  /// Moves what hardware has logged to the slots' logs.
  public func drainModificationLog(_ cpu: inout TDPContext) {
    drain(cpu.modificationLog, to: cpu.dirtyRing)
  }

  @usableFromInline
  func drainModificationLogs() {
    for log in logs.withLock({ Array($0.values) }) { drain(log.modifications, to: log.ring) }
  }

  private func drain(_ log: ModificationLog, to ring: DirtyRing?) {
    pacing.step(.dirtyMarks, isChange: true)
    let (addresses, space) = log.drain()
    mark(addresses, in: memory.slots(of: space), by: ring)
  }

  private func mark(_ addresses: [GPA], in slots: MemslotTable, by ring: DirtyRing?) {
    var hint = 0
    for gpa in addresses {
      guard let slot = slots.plain.slot(for: gpa.frame, hint: &hint), slot.activeMethod != nil
      else { continue }
      markDirty(gpa.frame.rawValue, count: 1, of: slot, by: ring)
    }
  }

  @inlinable
  func take(_ mask: UInt64, at index: Int, of log: DirtyLog) -> UInt64 {
    pacing.step(.dirtyMarks, isChange: true)
    return log.take(mask, at: index)
  }

  private var rings: [DirtyRing] {
    logs.withLock { logs in logs.sorted { $0.key < $1.key }.compactMap(\.value.ring) }
  }

  @usableFromInline
  func logged(_ id: Int) throws(DirtyLogError) -> (Memslot, DirtyLog) {
    guard let slot = memory.slot(id: id) else { throw .memslot(.unknown(id: id)) }
    guard let log = slot.activeLog else { throw .notRunning(slot: id) }
    return (slot, log)
  }

  private func count(_ method: DirtyMethod, by step: Int) {
    if method != .writeProtect { dirtyBitUsers.add(step, ordering: .acquiringAndReleasing) }
    if method == .pageModificationLog {
      modificationLogUsers.add(step, ordering: .acquiringAndReleasing)
    }
  }

  /// Notes what hardware has noted.
  ///
  /// - Returns: whether leaves were changed for it, so that TLBs must be flushed.
  @inlinable
  func collect(_ slot: Memslot, _ log: DirtyLog, _ roots: [PFN]) -> Bool {
    switch log.method {
    case .writeProtect: return false
    case .pageModificationLog:
      drainModificationLogs()
      return false
    case .dirtyBit:
      var found = false
      forEachLeaf(in: slot.base..<slot.end, roots) { place, spte, level, gfn in
        guard maps(spte, GFN(gfn), of: slot) else { return }
        guard let old = alter(place, spte, at: level, encoder.cleaned), encoder.isDirty(old)
        else { return }
        found = true
        pacing.step(.dirtyMarks, isChange: true)
        log.mark(slot.offset(of: GFN(gfn)), count: span(of: level))
      }
      return found
    }
  }

  /// Makes the next write to each page noticed.
  @inlinable
  func protect(
    _ frames: some FrameSet, of slot: Memslot, _ method: DirtyMethod, _ roots: [PFN]
  ) {
    // PERF: dirtylog.round; a slot with references would be counted at each leaf.
    let slot = PlainMemslot(slot)
    forEachLeaf(among: frames, roots) { place, spte, level, gfn in
      guard maps(spte, GFN(gfn), of: slot) else { return }
      alter(place, spte, at: level) { protected($0, at: level, method) }
    }
    memory.noteChange(.dirtyLog, of: slot.base..<slot.end)
  }

  /// A leaf whose next write is noticed. Large leaves lose W whatever the method: hardware would log
  /// one of their pages alone.
  @inlinable
  func protected(_ spte: SPTE, at level: Level, _ method: DirtyMethod) -> SPTE {
    if method == .writeProtect { return encoder.writeProtected(spte) }
    let clean = encoder.cleaned(spte)
    let isNoticed = level == .pageTable && !encoder.isDirtyByProtection(spte)
    return isNoticed ? clean : encoder.writeProtected(clean)
  }

  /// Marks pages of a slot that is logged, in the vCPU's ring or in the bitmap.
  @usableFromInline
  func markDirty(_ gfn: UInt64, count: UInt64, of slot: PlainMemslot, by ring: DirtyRing?) {
    pacing.step(.dirtyMarks, isChange: true)
    slot.markDirty(slot.offset(of: GFN(gfn)), count: count, by: ring)
  }

  /// Keeps what hardware noted in a leaf that is taken away.
  ///
  /// - Parameter spaces: the slots of every space.
  func recordDirty(
    _ spte: SPTE, at level: Level, first gfn: UInt64, in spaces: [MemslotTable]
  ) {
    guard dirtyBitUsers.load(ordering: .acquiring) > 0, encoder.isDirty(spte) else { return }
    for slots in spaces {
      var hint = 0
      guard let slot = slots.slot(for: GFN(gfn), hint: &hint), let log = slot.activeLog,
        maps(spte, GFN(gfn), of: slot)
      else { continue }
      pacing.step(.dirtyMarks, isChange: true)
      return log.mark(slot.offset(of: GFN(gfn)), count: span(of: level))
    }
  }

  /// Whether a leaf for a frame leads to a slot's memory: in another address space the frame may be of
  /// another slot.
  @inlinable
  @inline(__always)  // PERF: dirtylog.round
  func maps(_ spte: SPTE, _ gfn: GFN, of slot: some MemslotShape) -> Bool {
    slot.pfn(of: gfn) == encoder.pfn(of: spte)
  }
}
