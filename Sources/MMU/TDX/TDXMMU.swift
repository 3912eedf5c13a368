public import Paging
public import X86TDX

/// The memory of a trust domain: the shared EPT is the host's own, the secure EPT is the module's.
///
/// The host keeps a mirror of the secure EPT in tables of its own and asks the module for each change;
/// an entry of the mirror is frozen while the module is asked, so the mirror never disagrees
/// (SPEC E16). Private pages are the slots' private memory.
public final class TDXMMU<Encoder: SPTEEncoder, Policy: MMUPolicy>: VirtualMMU
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  /// What the hardware reports.
  public typealias Exit = TDXExit<Encoder.Format.Fault>
  /// What one vCPU keeps: what it keeps for the shared EPT.
  public typealias CPU = TDPContext

  /// The shared half.
  public let shared: TDPMMU<Encoder, Policy>
  /// The component that owns the secure EPT.
  public let module: TDXModule
  let mirrorRoot: PFN
  /// Held for each change of the mirror.
  let changing = Guarded(())

  /// A domain without memory.
  ///
  /// - Parameters:
  ///   - shared: the MMU of the shared EPT, composed with `MMIOMask.tdx` and without private memory.
  ///   - module: the simulated module, which owns the secure tables.
  /// - Throws: `FaultError.tablePagesExhausted` where not even the mirror's root fits.
  public init(shared: TDPMMU<Encoder, Policy>, module: TDXModule) throws(FaultError) {
    precondition(!shared.mapsPrivateMemory, "the shared half maps private memory")
    self.shared = shared
    self.module = module
    guard let root = shared.takeTable() else {
      throw .tablePagesExhausted(limit: shared.pool.limit)
    }
    shared.host.fill(page: root, with: shared.encoder.layout.nonPresent.rawValue)
    mirrorRoot = root
  }

  /// The guest's memory.
  public var memory: GuestMemory { shared.memory }
  /// Which frames are private.
  var attributes: MemoryAttributes { memory.attributes }
  /// Table pages in use, the mirror's included. **Units** pages.
  public var tablePages: Int { shared.tablePages }
  /// A vCPU.
  public func makeCPU(index: Int) throws(FaultError) -> TDPContext {
    try shared.makeCPU(index: index)
  }
  /// The vCPU enters the domain.
  public func enter(_ cpu: inout TDPContext) -> Bool {
    // Out first: once the shared half counts the vCPU as come in anew, a track waits for it no more,
    // and the module must not find it inside since before.
    if cpu.insideEpoch != 0 { module.exit(vcpu: cpu.index) }
    let isStale = shared.enter(&cpu)
    module.enter(vcpu: cpu.index)
    return isStale
  }
  /// As the shared half.
  public func isCurrent(_ cpu: TDPContext) -> Bool { shared.isCurrent(cpu) }

  /// As the shared half.
  public func stay(of cpu: TDPContext) -> UInt64 { shared.stay(of: cpu) }
  /// The vCPU leaves the domain.
  public func exit(_ cpu: inout TDPContext) {
    module.exit(vcpu: cpu.index)
    shared.exit(&cpu)
  }
  /// Gives up what the vCPU holds.
  public func leave(_ cpu: inout TDPContext) {
    module.exit(vcpu: cpu.index)
    shared.leave(&cpu)
  }
  /// No vCPU enters a domain that is not finalized; else as the shared half.
  public func pendingStop(_ cpu: TDPContext) -> (cause: ExitCause, error: FaultError)? {
    guard module.isFinalized else {
      return (.error, .cannotRun(reason: "the trust domain is not finalized"))
    }
    return shared.pendingStop(cpu)
  }
  /// As the shared half.
  public func counters(of cpu: TDPContext) -> MMUCounters { shared.counters(of: cpu) }
  /// As the shared half.
  public func synchronize() { shared.synchronize() }

  /// Drops the shared EPT, and of private memory what no slot backs any more; the rest cannot be given
  /// back and taken again unnoticed.
  public func invalidateAll() {
    shared.invalidateAll()
    dropUnbacked()
  }

  /// The hardware's walk: each address by the shared or the secure EPT, as its shared bit says.
  public func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout TDPContext
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    let memory = domainMemory(gva, on: cpu)
    let inner: Translation<GuestPhysical, Guest.Rights>
    switch guest.translate(gva, for: access, in: memory, Commit()) {
    case .success(let translation): inner = translation
    case .failure(.fault(let fault)): return .failure(.guest(fault))
    case .failure(.contended): return .failure(.contended)
    case .failure(.unreadable(let failure, _, _)): return .failure(failure.widened())
    }
    let isUser = guest.permissions(of: inner.rights).contains(.user)
    switch memory.find(inner.address, access.kind, isUser: isUser, isTableAccess: false) {
    case .failure(let failure): return .failure(failure.widened())
    case .success(let found):
      return .success(
        HardwareTranslation(
          hpa: found.hpa, gpa: inner.address, rights: inner.rights,
          tableRights: inner.tableRights, leaf: inner.leaf, hostPermissions: found.permissions,
          isDirty: access.kind == .write, guestPageSize: inner.pageSize))
    }
  }

  /// The second level alone.
  public func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout TDPContext
  ) -> Result<HPA?, HardwareFailure<Never, Exit>> {
    domainMemory(gva, on: cpu).find(gpa, kind, isUser: isUser, isTableAccess: false)
      .map { $0.hpa }
  }

  private func domainMemory(_ gva: GVA, on cpu: TDPContext) -> DomainMemory<Encoder.Format> {
    DomainMemory(
      second: FormatRegime(
        shared.encoder.format, root: shared.encoder.root(cpu.root.baseAddress)),
      host: shared.host.view, module: module, gva: gva,
      nonPresent: shared.encoder.layout.nonPresent.rawValue)
  }
}
