public import Paging
public import Synchronization

/// Two-dimensional paging: the guest keeps its tables, the second level is ours.
///
/// Faults of several vCPUs run side by side. An entry changes by compare-exchange alone; who loses
/// retries. Roots are counted and replaced whole (SPEC T1, T2). Changes of whole ranges (zaps, dirty
/// logging, ageing) come one after another and wait for the vCPUs, never the other way round.
public final class TDPMMU<Encoder: SPTEEncoder, Policy: MMUPolicy>: VirtualMMU
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  /// What the hardware reports.
  public typealias Exit = Encoder.Format.Fault
  /// What one vCPU keeps.
  public typealias CPU = TDPContext

  /// Who writes the entries.
  public let encoder: Encoder
  /// Who is asked about faults.
  public let policy: Policy
  /// The guest's memory.
  public let memory: GuestMemory
  /// Whether frames may be private; else an access to one that is ends as a memory fault.
  @usableFromInline let mapsPrivateMemory: Bool
  /// The information areas of the vCPUs that take #VE.
  let exceptionAreas: [HPA]
  @usableFromInline let pool: TablePool
  @usableFromInline let host: PacedHost<Policy.Pacing>
  @usableFromInline let roots: TDPRoots
  @usableFromInline let walkers = TableWalkers()
  @usableFromInline let notifier = TDPNotifier()
  /// **Units** entries; `nil` where no rings are used.
  let ringSize: Int?
  /// How many slots find writes by D.
  let dirtyBitUsers = Atomic<Int>(0)
  /// How many of them want the page-modification log.
  @usableFromInline let modificationLogUsers = Atomic<Int>(0)
  /// The logs and rings of the vCPUs, for those who collect.
  let logs = Guarded<[Int: (ring: DirtyRing?, modifications: ModificationLog)]>([:])
  /// Whether large pages may not be executed.
  public let nxHugePages: Bool
  @usableFromInline let nxSplits = NXSplits()
  @usableFromInline let tracked = TrackedFrames()

  /// An MMU with an empty root table.
  ///
  /// - Parameters:
  ///   - encoder: who writes the entries.
  ///   - policy: who is asked about faults.
  ///   - memory: the guest's memory.
  ///   - pool: where table pages come from.
  ///   - dirtyRingSize: the entries of each vCPU's dirty ring, made at least 128; `nil` for none.
  ///   - exceptionAreas: where the processor writes what a #VE is about, for each vCPU that takes them
  ///     (SPEC E15); none by default.
  ///   - mapsPrivateMemory: false for the shared half of a trust domain.
  ///   - nxHugePages: whether large pages are without X (SPEC T6).
  /// - Throws: `FaultError.tablePagesExhausted` where not even the root fits.
  public init(
    encoder: Encoder, policy: Policy, memory: GuestMemory, pool: TablePool,
    dirtyRingSize: Int? = nil, exceptionAreas: [HPA] = [], mapsPrivateMemory: Bool = true,
    nxHugePages: Bool = false
  ) throws(FaultError) {
    self.exceptionAreas = exceptionAreas
    self.mapsPrivateMemory = mapsPrivateMemory
    self.nxHugePages = nxHugePages
    ringSize = dirtyRingSize.map { min(max($0, 128), 1 << 20) }
    self.encoder = encoder
    self.policy = policy
    self.memory = memory
    self.pool = pool
    host = PacedHost(memory.host.view, policy.pacing)
    var tables: [PFN] = []
    for _ in memory.spaces {
      guard let root = pool.take() else { throw .tablePagesExhausted(limit: pool.limit) }
      host.fill(page: root, with: encoder.layout.nonPresent.rawValue)
      tables.append(root)
    }
    roots = TDPRoots(tables)
  }

  /// Table pages in use. **Units** pages.
  public var tablePages: Int { pool.inUse - roots.spareCount }

  /// A vCPU on the root in force; it brings a page for a root to come.
  public func makeCPU(index: Int) throws(FaultError) -> TDPContext {
    guard let spare = pool.take() else { throw .tablePagesExhausted(limit: pool.limit) }
    roots.add(spare: spare)
    let ring = ringSize.map { DirtyRing(size: $0) }
    let modifications = ModificationLog()
    logs.withLock { $0[index] = (ring, modifications) }
    return TDPContext(
      index: index, roots.take(.normal), place: walkers.register(), ring: ring,
      modificationLog: modifications,
      exceptionArea: exceptionAreas.indices.contains(index) ? exceptionAreas[index] : nil)
  }

  /// Moves the vCPU to the root in force and announces that it is inside.
  @inlinable
  public func enter(_ cpu: inout TDPContext) -> Bool {
    announce(&cpu)
    pacing.step(.rootEpoch, isChange: false)
    if cpu.rootEpoch != roots.epoch.load(ordering: .acquiring) { changeRoot(of: &cpu) }
    let needsFlush = cpu.needsFlush
    cpu.needsFlush = false
    return needsFlush
  }

  @usableFromInline
  func changeRoot(of cpu: inout TDPContext) {
    while cpu.rootEpoch != roots.epoch.load(ordering: .acquiring) {
      // Whoever changes the roots waits for those who are inside.
      exit(&cpu)
      waitForRoots()
      roots.drop(cpu.root, emptying: freeChildren)
      waitForRoots()
      (cpu.root, cpu.rootEpoch, cpu.rootEra) = roots.take(cpu.space)
      cpu.lastMMIO = nil
      cpu.needsFlush = true
      announce(&cpu)
    }
  }

  /// Two loads. A vCPU with a dirty ring enters each time, because the ring may be full by now.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func isCurrent(_ cpu: TDPContext) -> Bool {
    pacing.step(.epoch, isChange: false)
    // What the vCPU announced is what it goes on with: whoever opened a new epoch waits for it.
    guard walkers.epoch.load(ordering: .acquiring) == cpu.insideEpoch else { return false }
    pacing.step(.rootEpoch, isChange: false)
    return roots.epoch.load(ordering: .acquiring) == cpu.rootEpoch && cpu.dirtyRing == nil
  }

  /// The epoch at which the vCPU came inside.
  public func stay(of cpu: TDPContext) -> UInt64 { cpu.insideEpoch }

  /// Announces that the vCPU is outside.
  @inlinable
  public func exit(_ cpu: inout TDPContext) {
    cpu.insideEpoch = 0
    walkers.exit(cpu.place, pacing)
  }

  @inlinable
  func announce(_ cpu: inout TDPContext) {
    let epoch = walkers.enter(cpu.place, pacing)
    if epoch != cpu.epoch { cpu.needsFlush = true }
    cpu.epoch = epoch
    cpu.insideEpoch = epoch
  }

  /// Gives the vCPU's root back.
  public func leave(_ cpu: inout TDPContext) {
    exit(&cpu)
    walkers.unregister(cpu.place)
    roots.drop(cpu.root, emptying: freeChildren)
    if let spare = roots.takeSpare() { pool.give(back: spare) }
  }

  /// Replaces the roots by empty ones; the old tables are freed when the last vCPU leaves them.
  public func invalidateAll() {
    for space in memory.spaces {
      replaceRoot(of: space, era: era(of: memory.generation(of: space)), onlyLater: false)
    }
  }

  /// Replaces a space's root where the one in force holds MMIO entries of an era before this one
  /// (SPEC T2).
  @usableFromInline
  func beginEra(_ era: UInt64, of space: AddressSpace) {
    replaceRoot(of: space, era: era, onlyLater: true)
  }

  /// How often the generations that MMIO entries can hold have wrapped. The bits that tell the address
  /// space are the lowest, so that they do not count.
  @inlinable
  func era(of generation: UInt64) -> UInt64 {
    encoder.layout.mmio?.era(of: generation & ~GuestMemory.updateInProgress) ?? 0
  }

  private func replaceRoot(of space: AddressSpace, era: UInt64, onlyLater: Bool) {
    memory.noteChange(.zap, of: GFN(0)..<GFN(1 << 52))
    waitForRoots()
    roots.replace(of: space, era: era, onlyLater: onlyLater, emptying: freeChildren) {
      host.fill(page: $0, with: encoder.layout.nonPresent.rawValue)
      pacing.step(.rootEpoch, isChange: true)
    }
  }

  /// What the vCPU's faults amounted to.
  public func counters(of cpu: TDPContext) -> MMUCounters { cpu.counters }

  /// The hardware's walk of guest and second level.
  @inlinable
  public func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout TDPContext
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let second = FormatRegime(encoder.format, root: encoder.root(cpu.root.baseAddress))
    pacing.step(.memslots, isChange: false)
    if modificationLogUsers.load(ordering: .relaxed) > 0 {
      return loggingWalk(gva, for: access, by: guest, second, on: &cpu)
    }
    let nested = NestedMemory(second: second, host: host, gva: gva)
    switch nested.translate(gva, for: access, by: guest) {
    case .success(let both):
      return .success(
        HardwareTranslation(
          hpa: both.host.address, gpa: both.guest.address, rights: both.guest.rights,
          tableRights: both.guest.tableRights, leaf: both.guest.leaf,
          hostPermissions: encoder.format.permissions(of: both.host.rights),
          isDirty: access.kind == .write, guestPageSize: both.guest.pageSize))
    case .failure(.guest(let fault)): return .failure(.guest(fault))
    case .failure(.exit(let exit)):
      return .failure(.exit(delivered(exit, to: guest, on: &cpu)))
    case .failure(.contended): return .failure(.contended)
    case .failure(.unreadable(.outside(let hpa))): return .failure(.outside(hpa))
    case .failure(.unreadable(.unavailable)): return .failure(.contended)
    }
  }

  /// The hardware's walk of the second level.
  @inlinable
  public func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout TDPContext
  ) -> Result<HPA?, HardwareFailure<Never, Exit>> {
    let second = FormatRegime(encoder.format, root: encoder.root(cpu.root.baseAddress))
    let access = encoder.format.finalAccess(kind, isUser: isUser, for: gva)
    pacing.step(.memslots, isChange: false)
    if modificationLogUsers.load(ordering: .relaxed) > 0 {
      return loggingWalk(gpa, access, second, on: cpu)
    }
    switch second.translate(gpa, for: access, in: host, Commit()) {
    case .success(let found): return .success(found.address)
    case .failure(.fault(let exit)): return .failure(.exit(exit))
    case .failure(.unreadable(.outside(let hpa), _, _)): return .failure(.outside(hpa))
    case .failure(.unreadable(.unavailable, _, _)), .failure(.contended):
      return .failure(.contended)
    }
  }

  /// Returns the tables below a root. **Requires** that no vCPU can walk them.
  func freeChildren(of root: PFN) {
    // What hardware noted of writes is not to be lost with the entries.
    let slots = dirtyBitUsers.load(ordering: .acquiring) > 0 ? memory.spaceSlots : nil
    freeChildren(of: root, at: encoder.rootLevel, first: 0, slots)
  }

  private func freeChildren(
    of table: PFN, at level: Level, first: UInt64, _ slots: [MemslotTable]?
  ) {
    guard level > .pageTable || slots != nil else { return }
    for index in 0..<512 as Range<UInt64> {
      let spte = load(table.baseAddress.wrappingAdd(index * 8))
      guard encoder.isPresent(spte) else { continue }
      let gfn = first &+ index &<< UInt64(9 &* (level.rawValue &- 1))
      if encoder.isLeaf(spte, at: level) {
        if let slots { recordDirty(spte, at: level, first: gfn, in: slots) }
        continue
      }
      let child = encoder.pfn(of: spte)
      freeChildren(of: child, at: level.below, first: gfn, slots)
      giveBack(child)
    }
  }
}
