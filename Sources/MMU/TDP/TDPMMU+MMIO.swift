public import Paging

extension TDPMMU {
  /// Looks up the entry behind a malformed-entry exit (SPEC F2).
  ///
  /// - Returns: what becomes of the exit, or `nil` where the generation is stale and the fault goes
  ///   on in full.
  @inlinable
  func lookUpMMIO(
    _ gpa: GPA, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome? {
    let gfn = gpa.frame
    var table = cpu.root
    var level = encoder.rootLevel
    while true {
      let place = entry(for: gfn, in: table, at: level)
      let spte = load(place)
      let isTable =
        level > .pageTable && encoder.isPresent(spte) && !encoder.isLeaf(spte, at: level)
      if isTable {
        table = encoder.pfn(of: spte)
        level = level.below
        continue
      }
      guard let mmio = encoder.layout.mmio, mmio.matches(spte) else {
        // A present leaf: somebody mapped the page between the exit and here.
        let isMapped =
          encoder.isPresent(spte) && encoder.format.kind(of: spte.rawValue, at: level) == .leaf
        return encoder.isZapped(spte) || isMapped
          ? .retry : .failed(.malformedEntry(gpa, steps(to: gfn, on: cpu)))
      }
      let generation = mmio.generation(of: spte)
      guard generation == mmio.truncated(cpu.generation), !isUpdating(cpu), isOfEra(cpu) else {
        cpu.counters.mmioStale += 1
        notify(
          observer,
          .mmioStale(gfn: gfn, entryGeneration: generation, generation: cpu.generation))
        return nil
      }
      cpu.counters.mmioCached += 1
      cpu.lastMMIO = (gfn, cpu.generation)
      notify(observer, .mmioHit(gfn: gfn, spte: spte, generation: generation))
      noteMistake(gfn, on: &cpu, observer)
      return .emulate(gpa)
    }
  }

  /// Notes where a drill lets an entry of another era answer for memory.
  @inlinable
  func noteMistake(
    _ gfn: GFN, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) {
    guard let mmio = encoder.layout.mmio, !mmio.mask.generations.zapsAtWrap else { return }
    var hint = 0
    guard cpu.slots.slot(for: gfn, hint: &hint) != nil else { return }
    cpu.counters.mmioMistaken += 1
    notify(observer, .mmioMistaken(gfn: gfn, generation: mmio.truncated(cpu.generation)))
  }

  /// The entries on the way to a frame, for reports.
  @inlinable
  func steps(to gfn: GFN, on cpu: TDPContext) -> [WalkStep] {
    var steps: [WalkStep] = []
    var table = cpu.root
    var level = encoder.rootLevel
    while true {
      let place = entry(for: gfn, in: table, at: level)
      let spte = load(place)
      steps.append(
        WalkStep(
          level: level, entryAddress: place.rawValue, entry: spte.rawValue,
          kind: encoder.format.kind(of: spte.rawValue, at: level)))
      guard level > .pageTable, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else {
        return steps
      }
      table = encoder.pfn(of: spte)
      level = level.below
    }
  }

  /// Makes the next access to a frame without a slot exit as a malformed entry (SPEC F3).
  @inlinable
  func cacheMMIO(
    _ gpa: GPA, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    let gfn = gpa.frame
    cpu.counters.mmioSearched += 1
    if isUpdating(cpu) { return .emulate(gpa) }
    cpu.lastMMIO = (gfn, cpu.generation)
    guard isWalkable(gfn), isOfEra(cpu),
      let new = encoder.mmio(gfn: gfn, permissions: .all, generation: cpu.generation),
      case .entry(let place, let old) = descend(to: gfn, at: .pageTable, on: &cpu, observer)
    else { return .emulate(gpa) }
    if new != old, !encoder.isPresent(old), exchange(place, from: old, to: new, at: .pageTable) {
      cpu.counters.spteInstalls += 1
      notify(observer, .mmioInstalled(gfn: gfn, spte: new, generation: cpu.generation))
    }
    return .emulate(gpa)
  }

  /// Whether the vCPU's tables hold no MMIO entry from before the generations wrapped.
  @inlinable
  func isOfEra(_ cpu: TDPContext) -> Bool { cpu.rootEra == era(of: cpu.generation) }

  @inlinable
  func isUpdating(_ cpu: TDPContext) -> Bool {
    cpu.generation & GuestMemory.updateInProgress != 0
  }
}
