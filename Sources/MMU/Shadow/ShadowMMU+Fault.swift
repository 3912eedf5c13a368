public import Paging
import Synchronization

extension ShadowMMU {
  /// What is to be mapped, once guest and memslots have been asked.
  @usableFromInline
  struct Mapping {
    /// The slot; `nil` for MMIO.
    @usableFromInline var slot: PlainMemslot?
    /// The level at which the leaf goes.
    @usableFromInline var level: Level
    /// The level of the guest's leaf; above all others where the guest has no tables.
    @usableFromInline var guestLevel: Level
    @usableFromInline var walk: GuestWalk
    /// What the guest's entries grant together, as the shadow may show it.
    @usableFromInline var permissions: Permissions
    @usableFromInline var protectionKey: UInt8
    /// The fault as policies see it.
    @usableFromInline var fault: FaultInfo
    @usableFromInline var address: Address<Guest.Input>

    @inlinable var gfn: GFN { fault.gpa.frame }
    @inlinable var isWrite: Bool { fault.kind == .write }

    @inlinable
    init(
      _ fault: FaultInfo, _ address: Address<Guest.Input>, slot: PlainMemslot?, guestLevel: Level,
      _ walk: GuestWalk,
      _ permissions: Permissions, protectionKey: UInt8
    ) {
      self.fault = fault
      self.address = address
      self.slot = slot
      level = .pageTable
      self.guestLevel = guestLevel
      self.walk = walk
      self.permissions = permissions
      self.protectionKey = protectionKey
    }
  }

  /// Handles one exit, in the order of SPEC F1: a malformed entry is looked up as MMIO; the guest's
  /// tables are walked and may refuse; a write to a tracked table is done by software; then the frame
  /// is resolved through the memslots and mapped.
  @inlinable
  public func handle(
    _ exit: Exit, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    cpu.awaitedFrame = nil
    let outcome = locked(&cpu, observer) { cpu in
      let outcome = resolve(exit, on: &cpu)
      switch outcome {
      case .fixed: state.tally.fixed += 1
      case .spurious: state.tally.spurious += 1
      case .retry: state.tally.retried += 1
      case .emulate: state.tally.emulated += 1
      case .perform, .inject, .reflect, .failed: break
      }
      return outcome
    }
    if let gfn = cpu.awaitedFrame { waitForHost(gfn, on: &cpu) }
    return outcome
  }

  /// Waits outside while the host changes what is behind a frame, but not for ever: the access would use
  /// up its exits against a thread that the host does not run.
  @usableFromInline
  func waitForHost(_ gfn: GFN, on cpu: inout CPU) {
    let wasInside = cpu.insideEpoch != 0
    if wasInside { exit(&cpu) }
    var turns = 0
    while turns < 1000, lock.withLock({ _ in isBeingUnmapped(gfn) }) {
      TableWalkers.yield()
      turns += 1
    }
    if wasInside { announce(&cpu) }
  }

  @inlinable
  func resolve(_ exit: Exit, on cpu: inout CPU) -> FaultOutcome {
    refreshSlots()
    state.faultCount &+= 1
    guard let guest = cpu.guest else { return .retry }
    if cpu.current == nil || cpu.current?.key.isDummy == true { adopt(guest, on: &cpu) }
    guard let root = cpu.current.flatMap({ registry.page(at: $0.page) }) else {
      return .failed(.tablePagesExhausted(limit: pool.limit))
    }
    if root.isInvalid { return .retry }
    if let gpa = lastMMIO(exit, on: cpu) {
      state.tally.mmioCached += 1
      noteMistake(gpa.frame, in: cpu.space)
      return .emulate(gpa)
    }
    if exit.isMalformed, let outcome = lookUpMMIO(exit, root, on: &cpu) { return outcome }
    var walk = GuestWalk()
    switch guest.translate(exit.address, for: exit.access, in: guestView(of: cpu.space), &walk) {
    case .success(let translation):
      let permissions = guest.permissions(of: translation.rights)
      return resolve(
        exit, translation.address, translation.level, permissions, translation.leaf, walk, root,
        on: &cpu)
    case .failure(.fault(let fault)): return refuse(exit, fault, root, on: &cpu)
    case .failure(.unreadable(_, _, let level)):
      return refuse(
        exit, guest.faultForUnreadableTable(exit.address, for: exit.access, at: level), root,
        on: &cpu)
    case .failure(.contended): return .retry
    }
  }

  /// The guest's memory as its walk reads it: nobody hears of A and D.
  @inlinable
  func guestView(of space: AddressSpace) -> PlainGuestView {
    PlainGuestView(
      state.slots[space.rawValue].table, host: host, hint: state.slots[space.rawValue].hint)
  }

  /// The guest's tables do not grant the access.
  @inlinable
  func refuse(
    _ exit: Exit, _ fault: Guest.Fault, _ root: ShadowPage, on cpu: inout CPU
  ) -> FaultOutcome {
    cpu.flood = CPU.FloodState()
    if exit.isAccessKnown { return Guest.outcome(of: fault) }
    // The entry hid what was asked: without it the hardware tells, and the refusal is exact.
    if let (page, index) = lastEntry(for: exit.address, below: root.pfn) { drop(page, index) }
    return .retry
  }

  /// The guest's tables grant the access to `gpa`: what becomes of it.
  @inlinable
  @inline(__always)  // PERF: fault.shadow; an outcome is returned through memory.
  func resolve(
    _ exit: Exit, _ gpa: GPA, _ guestLevel: Level, _ granted: Permissions, _ leaf: UInt64,
    _ walk: GuestWalk, _ root: ShadowPage, on cpu: inout CPU
  ) -> FaultOutcome {
    let gfn = gpa.frame
    let isWrite = exit.access.kind == .write
    state.tally.memslotSearches += 1
    let slot = state.slots[cpu.space.rawValue].slot(for: gfn)
    notify(.memslotSearch(gfn: gfn, found: slot != nil))
    let hasTables = !root.role.isDirect
    let entry =
      hasTables ? state.formats[root.role.format].decode(leaf, at: guestLevel) : nil
    var largest = slot?.largestLevel(for: gfn, upTo: encoder.largestLeafLevel) ?? .pageTable
    if hasTables { largest = min(largest, guestLevel) }
    while largest > .pageTable, registry.hasTables(around: gfn, at: largest) {
      largest = largest.below
    }
    let info = FaultInfo(
      gpa: gpa, gva: exit.gva, kind: exit.access.kind, isUser: exit.access.isUser,
      hasSlot: slot != nil, largestLevel: largest, vcpu: cpu.index)
    let verdict = policy.verdict(on: info)
    if verdict != .proceed { notify(.verdict(verdict, gpa: gpa)) }
    switch verdict {
    case .proceed: break
    case .emulate: return .emulate(gpa)
    case .inject(let vector, let errorCode): return .inject(vector: vector, errorCode: errorCode)
    case .deny: return .failed(.denied(gpa))
    case .exit: return .failed(.stopped(gpa))
    }
    if let table = registry.firstTable(at: gfn) {
      if isWrite, slot != nil, isUsedAboveLeaves(table) { return .perform(gpa) }
    } else {
      cpu.flood = CPU.FloodState()
    }
    var mapping = Mapping(
      info, exit.address, slot: slot, guestLevel: hasTables ? guestLevel : Level(6), walk, granted,
      protectionKey: entry?.protectionKey ?? 0)
    if let slot {
      if isWrite, slot.flags.contains(.readOnly) { return .emulate(gpa) }
      guard slot.host != nil else { return .failed(.unbacked(gfn)) }
      if slot.mayLackPages, let error = fetchMissing(gfn, in: cpu.space) { return .failed(error) }
      if isBeingUnmapped(gfn) {
        cpu.awaitedFrame = gfn
        return .retry
      }
      // A leaf that nobody can mark as written keeps its write for software.
      if isWrite, entry?.isDirty == false { return .perform(gpa) }
      if !adjust(&mapping, isUser: exit.access.isUser, isDirty: entry?.isDirty ?? true, cpu.rules) {
        return .perform(gpa)
      }
      mapping.level = max(min(policy.mappingLevel(for: info), largest), .pageTable)
    }
    guard makeRoom(for: mapping, below: root, on: &cpu) else {
      return slot == nil
        ? .emulate(gpa) : .failed(.tablePagesExhausted(limit: pool.limit))
    }
    return slot == nil
      ? cacheMMIO(mapping, gpa, root, on: &cpu) : map(mapping, exit, gpa, root, on: &cpu)
  }

  /// Brings a frame's page if it is not there yet.
  @usableFromInline
  func fetchMissing(_ gfn: GFN, in space: AddressSpace) -> FaultError? {
    state.slots[space.rawValue].table.slot(for: gfn, hint: &state.slots[space.rawValue].hint)
      .flatMap {
        memory.fetchMissing(gfn, of: $0)
      }
  }

  /// Makes of the guest's rights what the shadow may show (SPEC E11): no W before D is set; with
  /// CR0.WP=0 a supervisor's write makes a read-only page writable for the kernel alone.
  ///
  /// - Returns: false where no entry can say it and software must do the access: with SMAP or
  ///   protection keys a user page that poses as a kernel page would not be judged as what it is.
  @inlinable
  func adjust(
    _ mapping: inout Mapping, isUser: Bool, isDirty: Bool, _ rules: ShadowRules
  ) -> Bool {
    if !isDirty { mapping.permissions.remove(.write) }
    guard mapping.isWrite, !mapping.permissions.contains(.write) else { return true }
    guard !isUser, !rules.writeProtect else { return true }
    if mapping.permissions.contains(.user) {
      if rules.smap || rules.protectionKeys { return false }
      if rules.smep { mapping.permissions.remove(.execute) }
      mapping.permissions.remove(.user)
    }
    mapping.permissions.insert(.write)
    return true
  }

  /// Whether the host is changing what is behind a frame just now.
  @inlinable
  func isBeingUnmapped(_ gfn: GFN) -> Bool {
    !state.activeNotifiers.isEmpty && state.activeNotifiers.contains { $0.contains(gfn) }
  }

  /// Takes the memslots of this moment; MMIO entries do not outlive the wrap of generations.
  @inlinable
  func refreshSlots() {
    refreshSlots(of: .normal)
    if memory.hasSystemManagement { refreshSlots(of: .systemManagement) }
  }

  @inlinable
  func refreshSlots(of space: AddressSpace) {
    let now = memory.generation(of: space)
    if now == state.slots[space.rawValue].generation, now & GuestMemory.updateInProgress == 0 {
      return
    }
    takeSlots(of: space, now)
  }

  @inlinable
  func takeSlots(of space: AddressSpace, _ now: UInt64) {
    state.slots[space.rawValue].generation = now
    state.slots[space.rawValue].table = memory.slots(of: space)
    state.slots[space.rawValue].hint = 0
    let nowEra = encoder.layout.mmio?.era(of: now & ~GuestMemory.updateInProgress) ?? 0
    if nowEra != state.slots[space.rawValue].era {
      state.slots[space.rawValue].era = nowEra
      zapAll()
    }
  }
}
