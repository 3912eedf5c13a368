public import Paging

/// What a machine is composed with: tables that the simulated hardware walks, and the handler of the
/// exits that the walk causes.
///
/// Shadow paging and two-dimensional paging differ in what the hardware walks; a machine does not
/// know which it has.
public protocol VirtualMMU: FaultHandler {
  /// The state of one vCPU, its first root taken.
  ///
  /// - Throws: `FaultError.tablePagesExhausted`.
  func makeCPU(index: Int) throws(FaultError) -> CPU

  /// Brings a vCPU's root up to date, as before each entry into the guest.
  ///
  /// - Returns: whether the root changed, so that the vCPU's TLB must be flushed.
  func enter(_ cpu: inout CPU) -> Bool

  /// Whether the vCPU is inside, and nothing happened since it entered that `enter` or `pendingStop`
  /// would tell: then it makes its next access as it is.
  ///
  /// Asked before every access, so it may cost a few loads at most.
  func isCurrent(_ cpu: CPU) -> Bool

  /// What tells the vCPU's time inside from earlier ones: as long as it is the same, nobody who waits
  /// for the vCPU has gone on, so that translations found meanwhile may be used together.
  func stay(of cpu: CPU) -> UInt64

  /// Says that the vCPU uses no translation until it enters again.
  func exit(_ cpu: inout CPU)

  /// What keeps the vCPU from entering the guest at all.
  func pendingStop(_ cpu: CPU) -> (cause: ExitCause, error: FaultError)?

  /// Empties the hardware's log of written pages, after the exit that says it is full.
  func drainModificationLog(_ cpu: inout CPU)

  /// Gives up what the vCPU holds.
  func leave(_ cpu: inout CPU)

  /// What the processor does on a TLB miss: walks the tables, sets A and D.
  func walk<Guest: TranslationRegime>(
    _ gva: GVA, for access: Guest.Access, by guest: Guest, on cpu: inout CPU
  ) -> Result<HardwareTranslation<Guest.Rights>, HardwareFailure<Guest.Fault, Exit>>
  where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess

  /// What the processor does with the guest physical address that software walked to: the second
  /// level alone, where there is one. Without it the memslots answer, and `nil` means MMIO.
  func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout CPU
  ) -> Result<HPA?, HardwareFailure<Never, Exit>>

  /// What the tables that the host owns say of a page now: nothing judged, nothing marked. The second
  /// level is asked for the guest physical address, shadow tables for the linear one.
  func backing<Guest: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Guest.Access, by guest: Guest, on cpu: inout CPU
  ) -> HostBacking where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess

  /// Where an address that the guest's tables name is now; `nil` where tables between the guest and the
  /// memslots lead nowhere.
  ///
  /// - Parameters:
  ///   - gpa: the address.
  ///   - gva: the linear address whose walk names it.
  ///   - cpu: the vCPU.
  ///   - reading: gets the entries of tables in between.
  func place(of gpa: GPA, gva: GVA, on cpu: CPU, noting reading: TableReading) -> GuestPlace?

  /// Whether the tables that the host owns follow others that the guest makes.
  static var followsGuestTables: Bool { get }

  /// Waits until changes that others make to the tables just now are announced to the vCPUs.
  /// **Requires** that the caller is no vCPU that is inside.
  func settle()

  /// The guest's physical memory as software reads it.
  associatedtype View: EntryMemory = GuestView
  where View.Space == GuestPhysical, View.Failure: GuestMemoryFailure

  /// The memory of the vCPU's guest, for walks by software.
  ///
  /// - Parameters:
  ///   - cpu: the vCPU.
  ///   - marking: whether what is between it and the memslots is marked as used, as by an access of the
  ///     guest; false for a tool.
  ///   - gva: the address whose walk reads it, for exits that tell.
  func view(for cpu: CPU, marking: Bool, gva: GVA?) -> View

  /// Where an address of that memory is in the memslots; or the exit that a hypervisor inside the
  /// guest gets, because its tables refuse the access.
  func slotAddress(
    of gpa: GPA, for kind: AccessKind, isUser: Bool, gva: GVA, on cpu: CPU
  ) -> Result<GPA, ReflectedExit>

  /// Makes an exit of a guest's guest the #VE that its hypervisor would rather have it get, and writes
  /// what it is about; `nil` where it remains an exit.
  func exception(
    insteadOf exit: ReflectedExit, in guest: some TranslationRegime, on cpu: inout CPU
  ) -> VirtualizationExceptionArea?

  /// What the guest was told of the vCPU's last exit, where that became a #VE.
  func exceptionInformation(of cpu: CPU) -> VirtualizationExceptionArea?

  /// Whether INVLPG and writes of control registers leave the guest, as under shadow paging.
  static var interceptsInvalidation: Bool { get }

  /// Hears of new registers, once they are in force.
  ///
  /// - Parameters:
  ///   - guest: the registers in force.
  ///   - scope: what the processor drops of its translations.
  ///   - cpu: the vCPU.
  ///   - observer: who hears of what the MMU does.
  func registersChanged<Guest: TranslationRegime>(
    _ guest: Guest, dropping scope: TLBInvalidation, on cpu: inout CPU,
    _ observer: borrowing some MMUObserver)

  /// Hears of INVLPG, or of an address of which nothing that is cached may stay.
  func invalidatePage(
    _ gva: GVA, on cpu: inout CPU, _ observer: borrowing some MMUObserver)

  /// Hears of a write that software made for a vCPU, after `FaultOutcome.perform`.
  func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout CPU, _ observer: borrowing some MMUObserver)

  /// What the vCPU's faults amounted to.
  func counters(of cpu: CPU) -> MMUCounters

  /// Table pages in use. **Units** pages.
  var tablePages: Int { get }

  /// The guest's memory.
  var memory: GuestMemory { get }

  /// Drops every translation of all address spaces; vCPUs see it when they next enter.
  func invalidateAll()

  /// Waits until no vCPU uses a translation that was dropped before. **Requires** that the caller is no
  /// vCPU that is inside.
  func synchronize()

  /// The space whose memslots a vCPU sees.
  func addressSpace(of cpu: CPU) -> AddressSpace

  /// Moves a vCPU, which is outside, to another space; its TLB is to be emptied after.
  ///
  /// - Returns: false where the machine has no such space.
  func move(_ cpu: inout CPU, to space: AddressSpace) -> Bool

  /// Where the table pages lie; `nil` where the MMU keeps state that a snapshot of memory and vCPUs
  /// would miss.
  var tableRange: Range<HPA>? { get }

  /// What tells the table pages apart, so that they can be put back with what they hold.
  associatedtype SavedTables: Sendable = Never

  /// Keeps the tables for a snapshot; `nil` where they are built again from nothing. **Requires** that
  /// all vCPUs are outside.
  func saveTables(of cpus: [CPU]) -> SavedTables?

  /// Puts the tables back, whose pages hold again what they held.
  ///
  /// - Parameters:
  ///   - tables: whether tables are kept with the memory.
  ///   - cpus: the vCPUs as they are; what they count goes on.
  /// - Returns: the vCPUs as they were.
  func restore(_ tables: SavedTables, for cpus: [CPU]) -> [CPU]

  /// Hears that memory, memslots and logs were put back to those of a snapshot.
  func memoryRestored()
}

extension GuestMemoryHole: GuestMemoryFailure {
  /// Nobody is between the guest and the memslots.
  public var reflected: ReflectedExit? { nil }
}

extension VirtualMMU where View == GuestView {
  /// The memslots of the vCPU's address space.
  @inlinable
  public func view(for cpu: CPU, marking: Bool, gva: GVA?) -> GuestView {
    memory.view(of: addressSpace(of: cpu))
  }

  /// The address itself.
  @inlinable  // PERF: access.mmio.cached
  public func slotAddress(
    of gpa: GPA, for kind: AccessKind, isUser: Bool, gva: GVA, on cpu: CPU
  ) -> Result<GPA, ReflectedExit> { .success(gpa) }
}

extension VirtualMMU {
  /// No.
  public static var interceptsInvalidation: Bool { false }

  /// Nothing follows from registers.
  public func registersChanged<Guest: TranslationRegime>(
    _ guest: Guest, dropping scope: TLBInvalidation, on cpu: inout CPU,
    _ observer: borrowing some MMUObserver
  ) {}

  /// No guest has guests.
  public func exception(
    insteadOf exit: ReflectedExit, in guest: some TranslationRegime, on cpu: inout CPU
  ) -> VirtualizationExceptionArea? { nil }

  /// Nobody gets one.
  public func exceptionInformation(of cpu: CPU) -> VirtualizationExceptionArea? { nil }

  /// Nothing is cached by guest virtual address.
  public func invalidatePage(
    _ gva: GVA, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {}

  /// Nothing follows from what the guest's memory holds.
  public func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {}

  /// Not that anybody knew: it enters again before each access.
  public func isCurrent(_ cpu: CPU) -> Bool { false }

  /// Nobody waits for the vCPU.
  public func stay(of cpu: CPU) -> UInt64 { 0 }

  /// Nobody waits for the vCPU.
  public func exit(_ cpu: inout CPU) {}

  /// Nothing does.
  public func pendingStop(_ cpu: CPU) -> (cause: ExitCause, error: FaultError)? { nil }

  /// There is none.
  public func drainModificationLog(_ cpu: inout CPU) {}

  /// Nobody is waited for.
  public func synchronize() {}

  /// It does not say.
  public func backing<Guest: TranslationRegime>(
    of gva: GVA, at gpa: GPA?, for access: Guest.Access, by guest: Guest, on cpu: inout CPU
  ) -> HostBacking where Guest.Input == GuestVirtual, Guest.Access: MemoryAccess { .unknown }

  /// Waits for changes of memslots and attributes; others and their announcements are one step.
  public func settle() { memory.settle() }

  /// As far as it has to see what the guest invalidates.
  public static var followsGuestTables: Bool { interceptsInvalidation }

  /// There is one alone.
  public func addressSpace(of cpu: CPU) -> AddressSpace { .normal }

  /// There is one alone.
  public func move(_ cpu: inout CPU, to space: AddressSpace) -> Bool { space == .normal }

  /// There is such state.
  public var tableRange: Range<HPA>? { nil }

  /// They are built again.
  public func saveTables(of cpus: [CPU]) -> SavedTables? { nil }

  /// Nothing follows.
  public func memoryRestored() {}

  /// The host address of backed memory that the access may touch.
  public func walk(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on cpu: inout CPU
  ) -> Result<HPA?, HardwareFailure<Never, Exit>> {
    var hint = 0
    let slot = memory.slots.slot(for: gpa.frame, hint: &hint)
    guard let slot, let pfn = slot.pfn(of: gpa.frame),
      kind != .write || !slot.flags.contains(.readOnly)
    else { return .success(nil) }
    guard memory.fetchMissing(gpa.frame, of: slot) == nil else {
      return .failure(.outside(pfn.baseAddress))
    }
    return .success(pfn.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB)))
  }
}

extension VirtualMMU where SavedTables == Never {
  /// There are none to put back.
  public func restore(_ tables: Never, for cpus: [CPU]) -> [CPU] {}
}
