public import Paging

extension ShadowMMU {
  /// The vCPU's last MMIO page, if the exit is for it and what it grants is enough (SPEC F2).
  ///
  /// Not for a guest's guest: where its hypervisor's tables changed since, this page would answer for one
  /// part of a walk of which another part is read anew.
  @inlinable
  func lastMMIO(_ exit: Exit, on cpu: CPU) -> GPA? {
    guard !cpu.rules.isNested, let last = cpu.lastMMIO,
      last.page == exit.address.rawValue >> 12,
      last.generation == state.slots[cpu.space.rawValue].generation,
      !state.slots[cpu.space.rawValue].isUpdating,
      grants(last.permissions, exit.access, cpu)
    else { return nil }
    return last.gfn.baseAddress.wrappingAdd(exit.address.offset(in: .size4KiB))
  }

  @inlinable
  func grants(
    _ permissions: Permissions, _ access: Guest.Access, _ cpu: CPU
  ) -> Bool {
    if access.kind == .fetch { return false }
    if access.isUser, !permissions.contains(.user) { return false }
    return access.kind == .read || permissions.contains(.write)
  }

  /// Looks up the entry behind a malformed-entry exit (SPEC F2).
  ///
  /// - Returns: what becomes of the exit, or `nil` where the generation is stale and the fault goes
  ///   on in full.
  @inlinable
  func lookUpMMIO(_ exit: Exit, _ root: ShadowPage, on cpu: inout CPU) -> FaultOutcome? {
    guard let (page, index) = lastEntry(for: exit.address, below: root.pfn) else { return .retry }
    let spte = load(page.place(of: index))
    guard let mmio = encoder.layout.mmio, mmio.matches(spte) else {
      let isMapped =
        encoder.isPresent(spte)
        && encoder.format.kind(of: spte.rawValue, at: page.role.level) != .reserved
      // An empty entry that traps looks like any other malformed one.
      if spte == encoder.layout.nonPresent, encoder.layout.noTrap != nil { return nil }
      // Zapped or mapped meanwhile: the processor faults again, if at all.
      if isMapped || encoder.isZapped(spte) { return .retry }
      return .failed(
        .malformedEntry(page.frame(of: index).baseAddress, steps(to: exit.address, below: root)))
    }
    let gfn = mmio.gfn(of: spte)
    let entryGeneration = mmio.generation(of: spte)
    let generation = state.slots[cpu.space.rawValue].generation
    guard entryGeneration == mmio.truncated(generation), !state.slots[cpu.space.rawValue].isUpdating
    else {
      state.tally.mmioStale += 1
      notify(
        .mmioStale(gfn: gfn, entryGeneration: entryGeneration, generation: generation))
      return nil
    }
    state.tally.mmioCached += 1
    notify(.mmioHit(gfn: gfn, spte: spte, generation: entryGeneration))
    noteMistake(gfn, in: cpu.space)
    var permissions: Permissions = .read
    if mmio.mask.accessMask == 6 {
      if mmio.access(of: spte) & 2 != 0 { permissions.insert(.write) }
      if mmio.access(of: spte) & 4 != 0 { permissions.insert(.user) }
      remember(exit.address, gfn, permissions, on: &cpu)
    }
    return .emulate(gfn.baseAddress.wrappingAdd(exit.address.offset(in: .size4KiB)))
  }

  /// The entries on the way to an address, for reports.
  @usableFromInline
  func steps(to address: Address<Guest.Input>, below root: ShadowPage) -> [WalkStep] {
    var steps: [WalkStep] = []
    var page = root
    while true {
      let place = page.place(of: page.index(of: address))
      let spte = load(place)
      steps.append(
        WalkStep(
          level: page.role.level, entryAddress: place.rawValue, entry: spte.rawValue,
          kind: encoder.format.kind(of: spte.rawValue, at: page.role.level)))
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: page.role.level),
        let child = registry.page(at: encoder.pfn(of: spte))
      else { return steps }
      page = child
    }
  }

  /// Notes where a drill lets an entry of another era answer for memory.
  @inlinable
  func noteMistake(_ gfn: GFN, in space: AddressSpace) {
    guard let mmio = encoder.layout.mmio, !mmio.mask.generations.zapsAtWrap,
      state.slots[space.rawValue].slot(for: gfn) != nil
    else { return }
    state.tally.mmioMistaken += 1
    notify(
      .mmioMistaken(gfn: gfn, generation: mmio.truncated(state.slots[space.rawValue].generation)))
  }

  /// Makes the next access to a frame without a slot exit as a malformed entry (SPEC F3).
  @inlinable
  func cacheMMIO(
    _ mapping: Mapping, _ gpa: GPA, _ root: ShadowPage, on cpu: inout CPU
  ) -> FaultOutcome {
    state.tally.mmioSearched += 1
    if state.slots[cpu.space.rawValue].isUpdating { return .emulate(gpa) }
    remember(mapping.address, mapping.gfn, mapping.permissions, on: &cpu)
    guard let new = mmio(mapping.gfn, mapping.permissions, in: cpu.space) else {
      return .emulate(gpa)
    }
    switch descend(mapping, to: .pageTable, from: root) {
    case .changed: return .retry
    case .exhausted: return .emulate(gpa)
    case .arrived(let page):
      let index = page.index(of: mapping.address)
      if load(page.place(of: index)) != new {
        drop(page, index)
        page.note(mapping.gfn, at: index)
        store(page.place(of: index), new)
        state.tally.spteInstalls += 1
        notify(
          .mmioInstalled(
            gfn: mapping.gfn, spte: new, generation: state.slots[cpu.space.rawValue].generation))
      }
      return .emulate(gpa)
    }
  }

  /// The MMIO entry of a frame, or `nil` where it cannot be cached.
  @inlinable
  func mmio(_ gfn: GFN, _ permissions: Permissions, in space: AddressSpace) -> SPTE? {
    if state.slots[space.rawValue].isUpdating { return nil }
    return encoder.mmio(
      gfn: gfn, permissions: permissions, generation: state.slots[space.rawValue].generation)
  }

  @inlinable
  func remember(
    _ address: Address<Guest.Input>, _ gfn: GFN, _ permissions: Permissions, on cpu: inout CPU
  ) {
    cpu.lastMMIO = CPU.LastMMIO(
      page: address.rawValue >> 12, gfn: gfn, permissions: permissions,
      generation: state.slots[cpu.space.rawValue].generation
    )
  }

}
