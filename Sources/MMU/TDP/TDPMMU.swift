public import Paging
import Synchronization

/// Two-dimensional paging: the guest keeps its tables, the second level is ours.
///
/// Faults of several vCPUs run side by side. An entry changes by compare-exchange alone; who loses
/// retries. Roots are counted and replaced whole (SPEC T1, T2).
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
  let pool: TablePool
  let host: HostView
  let roots: TDPRoots

  /// An MMU with an empty root table.
  ///
  /// - Throws: `FaultError.tablePagesExhausted` where not even the root fits.
  public init(encoder: Encoder, policy: Policy, memory: GuestMemory, pool: TablePool)
    throws(FaultError)
  {
    self.encoder = encoder
    self.policy = policy
    self.memory = memory
    self.pool = pool
    host = memory.host.view
    guard let root = pool.take() else { throw .tablePagesExhausted(limit: pool.limit) }
    host.fill(page: root, with: encoder.layout.nonPresent.rawValue)
    roots = TDPRoots(root)
  }

  /// Table pages in use. **Units** pages.
  public var tablePages: Int { pool.inUse }

  /// A vCPU on the root in force.
  public func makeCPU(index: Int) throws(FaultError) -> TDPContext {
    let (root, epoch) = roots.take()
    return TDPContext(
      index: index, root: root, rootEpoch: epoch, slots: memory.slots,
      generation: memory.generation)
  }

  /// Moves the vCPU to the root in force.
  public func enter(_ cpu: inout TDPContext) -> Bool {
    if cpu.rootEpoch == roots.epoch.load(ordering: .acquiring) { return false }
    let old = cpu.root
    (cpu.root, cpu.rootEpoch) = roots.take()
    if roots.drop(old) { free(table: old, at: encoder.rootLevel) }
    return true
  }

  /// Gives the vCPU's root back.
  public func leave(_ cpu: inout TDPContext) {
    if roots.drop(cpu.root) { free(table: cpu.root, at: encoder.rootLevel) }
  }

  /// Replaces the root by an empty one.
  ///
  /// Where no page is left for it the old tables are emptied in place instead.
  public func invalidateAll() {
    guard let root = pool.take() else { return zapAll() }
    host.fill(page: root, with: encoder.layout.nonPresent.rawValue)
    if let old = roots.replace(by: root) { free(table: old, at: encoder.rootLevel) }
  }

  /// What the vCPU's faults amounted to.
  public func counters(of cpu: TDPContext) -> MMUCounters { cpu.counters }

  /// The hardware's walk of guest and second level.
  public func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout TDPContext
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let second = FormatRegime(encoder.format, root: encoder.root(cpu.root.baseAddress))
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
    case .failure(.exit(let exit)): return .failure(.exit(exit))
    case .failure(.contended): return .failure(.contended)
    case .failure(.unreadable(.outside(let hpa))): return .failure(.outside(hpa))
    case .failure(.unreadable(.unavailable)): return .failure(.contended)
    }
  }

  private func zapAll() {
    let (root, _) = roots.take()
    defer { if roots.drop(root) { free(table: root, at: encoder.rootLevel) } }
    for index in 0..<512 as Range<UInt64> {
      let entry = root.baseAddress.wrappingAdd(index * 8)
      guard case .success(let old) = host.swap(entry, to: encoder.layout.nonPresent.rawValue)
      else { continue }
      freeChild(of: SPTE(old), at: encoder.rootLevel)
    }
    roots.epoch.add(1, ordering: .acquiringAndReleasing)
  }

  /// Returns a table and all below it. **Requires** that no vCPU can walk them.
  private func free(table: PFN, at level: Level) {
    for index in 0..<512 as Range<UInt64> {
      let entry = table.baseAddress.wrappingAdd(index * 8)
      if case .success(let raw) = host.load(entry, as: UInt64.self) {
        freeChild(of: SPTE(raw), at: level)
      }
    }
    pool.give(back: table)
  }

  private func freeChild(of spte: SPTE, at level: Level) {
    guard level > .pageTable, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else {
      return
    }
    free(table: encoder.pfn(of: spte), at: level.below)
  }
}
