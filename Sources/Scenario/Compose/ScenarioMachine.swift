package import MMU
package import Machine
package import Paging
package import X86
package import X86Guest

/// A composed machine, whatever it was composed of: one indirect call an access.
package protocol ScenarioMachine: AnyObject, Sendable {
  func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessReport<X86Fault>
  func invalidatePage(_ vcpu: Int, _ gva: GVA)
  func setRegister(_ vcpu: Int, _ name: GuestRegister, _ value: UInt64) throws(RegisterFault)
  /// An interrupt to system-management mode, or the end of one; false where it cannot be.
  func setSystemManagement(_ vcpu: Int, _ enters: Bool) -> Bool
  /// Changes the memslots as one step.
  ///
  /// - Parameter dropsTranslations: whether tables may hold what is no longer so.
  func changeSlots(
    dropsTranslations: Bool, _ change: (MemslotTable) throws(MemslotError) -> MemslotTable
  ) throws(MemslotError)
  /// Keeps the whole machine; how many pages the snapshot holds for itself.
  func keep(
    tables: Bool
  ) throws(SnapshotError) -> (snapshot: any Sendable, pageCount: Int)
  /// Puts the machine back to what it was. **Requires** a snapshot of this machine.
  func putBack(_ snapshot: any Sendable) throws(SnapshotError)
  /// What is wrong with the tables, one line each; `nil` where the MMU has no audit.
  func audit() -> [String]?
  /// The MMU as the host's upkeep sees it; `nil` where it has none.
  var maintenance: (any MaintainableMMU)? { get }
  /// The MMU as one that tells private memory from shared memory, or `nil`.
  var privateMemory: (any PrivateMemoryMMU)? { get }
  /// The MMU as a trust domain's, or `nil`.
  var domain: (any TrustDomain)? { get }
  /// What a vCPU's last exit was about, where it was a #VE.
  func lastException(_ vcpu: Int) -> VirtualizationExceptionArea?
  /// Counts exits for which no access asked.
  func count(_ count: Int, of cause: ExitCause, on vcpu: Int)
  func processor(_ vcpu: Int) -> X86Processor
  func tlbCounts() -> (hits: Int, misses: Int)
  func exitCounts() -> ExitCounters
  var vcpuCount: Int { get }
  var memory: GuestMemory { get }
  var counters: MMUCounters { get }
  var tablePages: Int { get }
}

extension Machine: ScenarioMachine where Guest == X86Processor {
  package func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessReport<X86Fault> {
    self.vcpu(vcpu, access: access, at: gva, size: size, value: value)
  }

  package func invalidatePage(_ vcpu: Int, _ gva: GVA) { self.vcpu(vcpu, invalidatePage: gva) }

  package func setRegister(_ vcpu: Int, _ name: GuestRegister, _ value: UInt64)
    throws(RegisterFault)
  {
    switch name {
    case .cr0: try self.vcpu(vcpu, moveToCR0: CR0(rawValue: value))
    case .cr3: try self.vcpu(vcpu, moveToCR3: value)
    case .cr4: try self.vcpu(vcpu, moveToCR4: CR4(rawValue: value))
    case .efer: self.vcpu(vcpu, moveToEFER: EFER(rawValue: value))
    case .pkru: self.vcpu(vcpu, moveToPKRU: UInt32(truncatingIfNeeded: value))
    case .pkrs: self.vcpu(vcpu, moveToPKRU: nil, pkrs: UInt32(truncatingIfNeeded: value))
    }
  }

  package func setSystemManagement(_ vcpu: Int, _ enters: Bool) -> Bool {
    enters ? vcpuEntersSystemManagement(vcpu) : vcpuLeavesSystemManagement(vcpu)
  }

  package func changeSlots(
    dropsTranslations: Bool, _ change: (MemslotTable) throws(MemslotError) -> MemslotTable
  ) throws(MemslotError) {
    try memory.update(change) { _ in
      guard dropsTranslations else { return }
      mmu.invalidateAll()
      // Once the step is done no vCPU reaches what the slots showed before.
      mmu.synchronize()
    }
  }

  package func keep(
    tables: Bool
  ) throws(SnapshotError) -> (snapshot: any Sendable, pageCount: Int) {
    let snapshot = try snapshot(tables: tables ? .kept : .rebuilt)
    return (snapshot, snapshot.memory.host.pageCount)
  }

  package func putBack(_ snapshot: any Sendable) throws(SnapshotError) {
    guard let snapshot = snapshot as? Snapshot else { throw .foreign }
    try restore(snapshot)
  }

  package func audit() -> [String]? { (mmu as? any AuditableMMU)?.audit() }

  package var maintenance: (any MaintainableMMU)? { mmu as? any MaintainableMMU }

  package var privateMemory: (any PrivateMemoryMMU)? { mmu as? any PrivateMemoryMMU }

  package var domain: (any TrustDomain)? { mmu as? any TrustDomain }

  package func lastException(_ vcpu: Int) -> VirtualizationExceptionArea? {
    (vcpus[vcpu].mmuState as? TDPContext)?.lastException
  }

  package func count(_ count: Int, of cause: ExitCause, on vcpu: Int) {
    self.vcpu(vcpu, counts: count, of: cause)
  }

  package func processor(_ vcpu: Int) -> X86Processor { vcpus[vcpu].guest }

  package func tlbCounts() -> (hits: Int, misses: Int) {
    vcpus.reduce(into: (0, 0)) {
      $0.0 += $1.tlbHits
      $0.1 += $1.tlbMisses
    }
  }

  package func exitCounts() -> ExitCounters {
    vcpus.reduce(into: ExitCounters()) { $0 += $1.exits }
  }

  package var vcpuCount: Int { vcpus.count }

  package var tablePages: Int { mmu.tablePages }
}
