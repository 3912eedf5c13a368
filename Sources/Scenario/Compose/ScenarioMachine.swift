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
  /// What remembers why translations are stale; `nil` where they are not looked at.
  var ledger: TranslationLedger? { get }
  /// What a vCPU's last exit was about, where it was a #VE.
  func lastException(_ vcpu: Int) -> VirtualizationExceptionArea?
  /// Counts exits for which no access asked.
  func count(_ count: Int, of cause: ExitCause, on vcpu: Int)
  func processor(_ vcpu: Int) -> X86Processor
  /// The entries of a vCPU's own tables for an address, without side effects.
  func walk(_ gva: GVA, vcpu: Int) -> [WalkStep]
  /// Where an access of a vCPU would be in the memslots, without side effects; `nil` where tables
  /// refuse.
  func locate(_ gva: GVA, for access: X86Access, vcpu: Int) -> GPA?
  /// Maps a range in a vCPU's own tables.
  ///
  /// - Parameter takeTable: the next page for a table, in the memory of that vCPU's guest.
  func map(_ action: MapAction, takeTable: () -> GPA?) throws(TableEditError)
  /// Fills a page of a vCPU's guest with zeros; false where no memory is there.
  func clear(_ page: GPA, vcpu: Int) -> Bool
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
    mmu.exceptionInformation(of: vcpus[vcpu].mmuState)
  }

  package func count(_ count: Int, of cause: ExitCause, on vcpu: Int) {
    self.vcpu(vcpu, counts: count, of: cause)
  }

  package func processor(_ vcpu: Int) -> X86Processor { vcpus[vcpu].guest }

  package func walk(_ gva: GVA, vcpu: Int) -> [WalkStep] {
    var recording = Recording(Probe())
    let view = mmu.view(for: vcpus[vcpu].mmuState, marking: false, gva: gva)
    _ = processor(vcpu).translate(gva, for: .read, in: view, &recording)
    return recording.steps
  }

  package func locate(_ gva: GVA, for access: X86Access, vcpu: Int) -> GPA? {
    let context = vcpus[vcpu].mmuState
    let view = mmu.view(for: context, marking: false, gva: gva)
    let walked = processor(vcpu).translate(gva, for: access, in: view, Judge())
    guard case .success(let found) = walked else { return nil }
    return try? mmu.slotAddress(
      of: found.address, for: access.kind, isUser: access.isUser, gva: gva, on: context
    ).get()
  }

  package func map(_ action: MapAction, takeTable: () -> GPA?) throws(TableEditError) {
    try processor(action.vcpu).regime.map(
      action.va, to: action.gpa, length: action.byteCount, pageSize: action.pageSize,
      permissions: action.permissions,
      in: mmu.view(for: vcpus[action.vcpu].mmuState, marking: false, gva: nil),
      takeTable: takeTable)
  }

  package func clear(_ page: GPA, vcpu: Int) -> Bool {
    let context = vcpus[vcpu].mmuState
    let place = mmu.slotAddress(
      of: page, for: .write, isUser: false, gva: GVA(0), on: context)
    guard case .success(let place) = place else { return false }
    let zeros = [UInt8](repeating: 0, count: 4096)
    // SAFETY: an array of bytes has no padding.
    return unsafe memory.view.write(zeros.span.bytes, at: place) == 4096
  }

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
