public import Paging
public import Synchronization

extension TDPMMU {
  /// Handles one exit, in the order of SPEC F1: a malformed entry is looked up as MMIO; then the
  /// frame is resolved through the memslots and mapped.
  @inlinable
  public func handle(
    _ exit: Exit, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    let wasInside = cpu.insideEpoch != 0
    if exit.cause == .virtualizationException {
      return .inject(vector: VirtualizationExceptionArea.vector, errorCode: 0)
    }
    if !wasInside { announce(&cpu) }
    defer { if !wasInside { self.exit(&cpu) } }
    if modificationLogUsers.load(ordering: .relaxed) > 0 { drainModificationLog(&cpu) }
    let outcome = resolve(exit, on: &cpu, observer)
    switch outcome {
    case .fixed: cpu.counters.fixed += 1
    case .spurious: cpu.counters.spurious += 1
    case .retry: cpu.counters.retried += 1
    case .emulate: cpu.counters.emulated += 1
    case .inject, .reflect, .failed, .perform: break
    }
    return outcome
  }

  @inlinable
  func resolve(
    _ exit: Exit, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    refresh(&cpu)
    let gfn = exit.gpa.frame
    if cpu.plainSlots.mayLackPages, let error = fetchMissing(gfn, on: &cpu) {
      return .failed(error)
    }
    if let last = cpu.lastMMIO, last.gfn == gfn, last.generation == cpu.generation {
      cpu.counters.mmioCached += 1
      notify(observer, .mmioRemembered(gfn: gfn))
      noteMistake(gfn, on: &cpu, observer)
      return .emulate(exit.gpa)
    }
    if exit.isMalformed, let outcome = lookUpMMIO(exit.gpa, on: &cpu, observer) {
      return outcome
    }
    cpu.counters.memslotSearches += 1
    var slot = cpu.plainSlots.slot(for: gfn, hint: &cpu.slotHint)
    notify(observer, .memslotSearch(gfn: gfn, found: slot != nil))
    var limit = encoder.largestLeafLevel
    pacing.step(.attributes, isChange: false)
    if memory.attributes.areUsed, let found = slot {
      limit = memory.attributes.largestLevel(for: gfn, upTo: limit)
      if memory.attributes.isPrivate(gfn) {
        slot = mapsPrivateMemory ? found.privateSide : nil
        guard slot != nil else {
          return .failed(.memoryFault(exit.gpa, isPrivate: mapsPrivateMemory))
        }
      }
    }
    // Asked once: who begins to track waits for faults that saw the frame untracked.
    pacing.step(.trackedFrames, isChange: false)
    let isTracked = tracked.touches(gfn, frames: 1)
    var largest = slot?.largestLevel(for: gfn, upTo: limit) ?? .pageTable
    while largest > .pageTable, tracked.touches(gfn, frames: span(of: largest)) {
      largest = largest.below
    }
    let info = FaultInfo(
      gpa: exit.gpa, gva: exit.gva, kind: exit.kind, isUser: exit.isUser, hasSlot: slot != nil,
      largestLevel: largest, vcpu: cpu.index)
    let verdict = policy.verdict(on: info)
    if verdict != .proceed { notify(observer, .verdict(verdict, gpa: exit.gpa)) }
    switch verdict {
    case .proceed: break
    case .emulate: return .emulate(exit.gpa)
    case .inject(let vector, let errorCode): return .inject(vector: vector, errorCode: errorCode)
    case .deny: return .failed(.denied(exit.gpa))
    case .exit: return .failed(.stopped(exit.gpa))
    }
    guard let slot, isWalkable(gfn) else { return cacheMMIO(exit.gpa, on: &cpu, observer) }
    let isReadOnly = slot.flags.contains(.readOnly)
    if isReadOnly, exit.kind == .write { return .emulate(exit.gpa) }
    guard slot.host != nil else { return .failed(.unbacked(gfn)) }
    if exit.kind == .write, isTracked {
      // Software walks the guest's tables where hardware wanted to write them.
      if exit.isTableAccess { return .emulate(exit.gpa) }
      // The write is done without entering anew, so no flush may be left over.
      return waitedForHost(gfn, frames: 1, on: &cpu) || cpu.needsFlush
        ? .retry : .perform(exit.gpa)
    }
    let wanted = max(min(policy.mappingLevel(for: info), largest), .pageTable)
    let isDenied = nxHugePages && exit.kind == .fetch && wanted > .pageTable
    let level = isDenied ? .pageTable : wanted
    if waitedForHost(gfn, frames: span(of: level), on: &cpu) { return .retry }
    return map(
      gfn, of: slot, at: level, insteadOf: isDenied ? wanted : nil, isTracked: isTracked,
      for: exit.kind, on: &cpu, observer)
  }

  /// Whether the tables have an entry for a frame at all.
  @inlinable
  func isWalkable(_ gfn: GFN) -> Bool {
    gfn.rawValue >> UInt64(encoder.inputWidth - 12) == 0
  }

  /// Takes the memslots of this moment, if they changed.
  @inlinable
  func refresh(_ cpu: inout TDPContext) {
    pacing.step(.memslots, isChange: false)
    let generation = memory.generation(of: cpu.space)
    // Under an update the slots change without the generation.
    if generation == cpu.generation, generation & GuestMemory.updateInProgress == 0 { return }
    cpu.generation = generation
    cpu.slots = memory.slots(of: cpu.space)
    cpu.lastMMIO = nil
    let era = era(of: generation)
    if era == cpu.rootEra { return }
    // Who replaces the root may have to wait for those who are inside.
    exit(&cpu)
    beginEra(era, of: cpu.space)
    announce(&cpu)
    cpu.generation = memory.generation(of: cpu.space)
    cpu.slots = memory.slots(of: cpu.space)
  }

  /// Waits outside while the host changes what is behind a page, but not for ever.
  ///
  /// - Returns: whether it did, so that what was found out before may not hold any more.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1
  func waitedForHost(_ gfn: GFN, frames: UInt64, on cpu: inout TDPContext) -> Bool {
    pacing.step(.notifier, isChange: false)
    guard notifier.blocks(gfn, frames: frames) else { return false }
    waitForHost(gfn, frames: frames, on: &cpu)
    return true
  }

  @inlinable
  func waitForHost(_ gfn: GFN, frames: UInt64, on cpu: inout TDPContext) {
    exit(&cpu)
    if !Policy.Pacing.isFree {
      pacing.wait(.notifier, isChange: false) { [notifier] in
        !notifier.blocks(gfn, frames: frames)
      }
    }
    var turns = 0
    while notifier.blocks(gfn, frames: frames), turns < 1000 {
      TableWalkers.yield()
      turns += 1
    }
    announce(&cpu)
  }

  /// Waits outside while somebody takes an entry on the way to a frame apart, but not for ever: the
  /// access would use up its exits against a thread that the host does not run.
  @usableFromInline
  func waitForEntry(_ entry: HPA, on cpu: inout TDPContext, towards gfn: GFN) {
    exit(&cpu)
    if !Policy.Pacing.isFree {
      pacing.wait(.entry(entry), isChange: false) { [self, root = cpu.root] in
        !isBusy(gfn, below: root)
      }
    }
    var turns = 0
    while isBusy(gfn, below: cpu.root), turns < 1000 {
      TableWalkers.yield()
      turns += 1
    }
    announce(&cpu)
  }

  /// Whether an entry on the way to a frame is being changed. Tables may go meanwhile, so the answer is
  /// a hint.
  private func isBusy(_ gfn: GFN, below root: PFN) -> Bool {
    var table = root
    var level = encoder.rootLevel
    while true {
      let place = entry(for: gfn, in: table, at: level)
      guard case .success(let raw) = host.view.load(place, as: UInt64.self) else { return false }
      let spte = SPTE(raw)
      if spte == encoder.layout.frozen { return true }
      guard level > .pageTable, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else {
        return false
      }
      table = encoder.pfn(of: spte)
      level = level.below
    }
  }

  @inlinable
  func notify(_ observer: borrowing some MMUObserver, _ event: @autoclosure () -> MMUEvent) {
    if type(of: observer).listens { observer.observe(event()) }
  }
}
