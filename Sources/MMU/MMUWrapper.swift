public import Paging

/// An MMU around another: it does what its base does, but for what the conformer does itself.
///
/// A fault handler that logs, counts or delays is a wrapper with a `handle(_:on:_:)` of its own.
public protocol MMUWrapper: VirtualMMU
where
  Exit == Base.Exit, CPU == Base.CPU, View == Base.View, SavedTables == Base.SavedTables
{
  /// What is wrapped.
  associatedtype Base: VirtualMMU
  /// What is wrapped.
  var base: Base { get }
}

extension MMUWrapper {
  /// As the base.
  public func handle(
    _ exit: Base.Exit, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    base.handle(exit, on: &cpu, observer)
  }

  /// As the base.
  public func makeCPU(index: Int) throws(FaultError) -> Base.CPU { try base.makeCPU(index: index) }

  /// As the base.
  public func enter(_ cpu: inout Base.CPU) -> Bool { base.enter(&cpu) }

  /// As the base.
  @inlinable
  public func isCurrent(_ cpu: Base.CPU) -> Bool { base.isCurrent(cpu) }

  /// As the base.
  public func stay(of cpu: Base.CPU) -> UInt64 { base.stay(of: cpu) }

  /// As the base.
  public func exit(_ cpu: inout Base.CPU) { base.exit(&cpu) }

  /// As the base.
  public func pendingStop(_ cpu: Base.CPU) -> (cause: ExitCause, error: FaultError)? {
    base.pendingStop(cpu)
  }

  /// As the base.
  public func drainModificationLog(_ cpu: inout Base.CPU) { base.drainModificationLog(&cpu) }

  /// As the base.
  public static var interceptsInvalidation: Bool { Base.interceptsInvalidation }

  /// As the base.
  public func registersChanged<Guest: TranslationRegime>(
    _ guest: Guest, dropping scope: TLBInvalidation, on cpu: inout Base.CPU,
    _ observer: borrowing some MMUObserver
  ) {
    base.registersChanged(guest, dropping: scope, on: &cpu, observer)
  }

  /// As the base.
  public func invalidatePage(
    _ gva: GVA, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) {
    base.invalidatePage(gva, on: &cpu, observer)
  }

  /// As the base.
  public func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) {
    base.memoryWritten(gpa, byteCount: byteCount, on: &cpu, observer)
  }

  /// As the base.
  public func leave(_ cpu: inout Base.CPU) { base.leave(&cpu) }

  /// As the base.
  public func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout Base.CPU
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Base.Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    base.walk(gva, for: access, by: guest, on: &cpu)
  }

  /// As the base.
  public func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout Base.CPU
  ) -> Result<HPA?, HardwareFailure<Never, Base.Exit>> {
    base.walk(gpa, kind, isUser: isUser, for: gva, on: &cpu)
  }

  /// As the base.
  public func backing<Guest: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Guest.Access, by guest: Guest, on cpu: inout Base.CPU
  ) -> HostBacking where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess {
    base.backing(of: gva, at: gpa, for: access, by: guest, on: &cpu)
  }

  /// As the base.
  public func place(
    of gpa: GPA, gva: GVA, on cpu: Base.CPU, noting reading: TableReading
  ) -> GuestPlace? { base.place(of: gpa, gva: gva, on: cpu, noting: reading) }

  /// As the base.
  public static var followsGuestTables: Bool { Base.followsGuestTables }

  /// As the base.
  public func settle() { base.settle() }

  /// As the base.
  public func view(for cpu: Base.CPU, marking: Bool, gva: GVA?) -> Base.View {
    base.view(for: cpu, marking: marking, gva: gva)
  }

  /// As the base.
  public func slotAddress(
    of gpa: GPA, for kind: AccessKind, isUser: Bool, gva: GVA, on cpu: Base.CPU
  ) -> Result<GPA, ReflectedExit> {
    base.slotAddress(of: gpa, for: kind, isUser: isUser, gva: gva, on: cpu)
  }

  /// As the base.
  public func exception(
    insteadOf exit: ReflectedExit, in guest: some TranslationRegime, on cpu: inout Base.CPU
  ) -> VirtualizationExceptionArea? { base.exception(insteadOf: exit, in: guest, on: &cpu) }

  /// As the base.
  public func exceptionInformation(of cpu: Base.CPU) -> VirtualizationExceptionArea? {
    base.exceptionInformation(of: cpu)
  }

  /// As the base.
  public func counters(of cpu: Base.CPU) -> MMUCounters { base.counters(of: cpu) }

  /// As the base.
  public var tablePages: Int { base.tablePages }

  /// As the base.
  public var memory: GuestMemory { base.memory }

  /// As the base.
  public func invalidateAll() { base.invalidateAll() }

  /// As the base.
  public func addressSpace(of cpu: Base.CPU) -> AddressSpace { base.addressSpace(of: cpu) }

  /// As the base.
  public func move(_ cpu: inout Base.CPU, to space: AddressSpace) -> Bool {
    base.move(&cpu, to: space)
  }

  /// As the base.
  public func synchronize() { base.synchronize() }

  /// As the base.
  public var tableRange: Range<HPA>? { base.tableRange }

  /// As the base.
  public func saveTables(of cpus: [Base.CPU]) -> Base.SavedTables? { base.saveTables(of: cpus) }

  /// As the base.
  public func restore(_ tables: Base.SavedTables, for cpus: [Base.CPU]) -> [Base.CPU] {
    base.restore(tables, for: cpus)
  }

  /// As the base.
  public func memoryRestored() { base.memoryRestored() }
}
