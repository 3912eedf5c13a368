/// The hardware causes by which a vCPU leaves the guest; each exit is counted once.
public enum ExitCause: String, Sendable, Hashable, CaseIterable {
  /// An EPT entry does not let an access through.
  case eptViolation = "ept-violation"
  /// An EPT entry is malformed.
  case eptMisconfiguration = "ept-misconfiguration"
  /// An NPT entry does not let an access through, or is malformed.
  case nestedPageFault = "nested-page-fault"
  /// A page fault under shadow paging.
  case shadowPageFault = "shadow-page-fault"
  /// A violation turned into a #VE.
  case virtualizationException = "ve"
  /// The page-modification log is full.
  case pmlFull = "pml-full"
  /// The dirty ring is full.
  case dirtyRingFull = "dirty-ring-full"
  /// An access to memory of the other kind, private or shared.
  case memoryFault = "memory-fault"
  /// INVLPG under shadow paging.
  case invlpg = "invlpg"
  /// A write of a control register under shadow paging.
  case controlRegisterWrite = "cr-write"
  /// An exit of a trust domain.
  case tdxExit = "tdx-exit"
  /// The run cannot go on.
  case error = "error"
}

/// What the hardware reports when it leaves the guest.
///
/// Its description is what the hardware said, in words for events.
public protocol MMUExit: Error, Sendable, CustomStringConvertible {
  /// Under which cause the exit is counted.
  var cause: ExitCause { get }
  /// Whether the hardware was after a guest's table entry and not the address itself.
  var isTableAccess: Bool { get }
}

extension MMUExit {
  /// Not as far as is known.
  @inlinable
  public var isTableAccess: Bool { false }
}

/// What a second-level exit tells its handler, whatever the hardware.
public protocol SecondLevelExit: MMUExit {
  /// The address that was asked for.
  var gpa: GPA { get }
  /// The linear address, where hardware gives it.
  var gva: GVA? { get }
  /// What has to be let through.
  var kind: AccessKind { get }
  /// Whether the guest was in user mode, where hardware tells.
  var isUser: Bool { get }
  /// Whether an entry was malformed (EPT misconfiguration, RSVD): the sign of an MMIO entry.
  var isMalformed: Bool { get }
  /// Whether the entry lets the exit become an exception of the guest's (#VE).
  var isConvertible: Bool { get }
  /// The exit as the guest's own exception, and what the processor writes for it; `nil` where the host
  /// gets the exit.
  func converted(
    _ state: VirtualizationExceptionState
  ) -> (exit: Self, area: VirtualizationExceptionArea)?
}

extension SecondLevelExit {
  /// The hardware has no such exception.
  @inlinable
  public var isConvertible: Bool { false }

  /// The hardware has no such exception.
  public func converted(
    _ state: VirtualizationExceptionState
  ) -> (exit: Self, area: VirtualizationExceptionArea)? { nil }
}

/// What became of an exit (SPEC F1).
public enum FaultOutcome: Sendable, Hashable {
  /// The tables now let the access through: try again.
  case fixed
  /// They let it through already: try again.
  case spurious
  /// Something changed meanwhile: try again.
  case retry
  /// No memory is there, or a policy wants it so: do the access on the MMIO bus.
  case emulate(GPA)
  /// The tables may not let the access through by themselves (a write to a tracked table): do it by
  /// software on the memory at this address, which the guest's own tables grant, and tell the MMU.
  case perform(GPA)
  /// Raise an exception in the guest.
  case inject(vector: UInt8, errorCode: UInt32)
  /// The tables of a hypervisor inside the guest refuse its guest's access: that hypervisor gets the
  /// exit.
  case reflect(ReflectedExit)
  /// The access cannot go on.
  case failed(FaultError)
}

/// Why an access cannot go on, though neither guest nor hardware is at fault.
public enum FaultError: Error, Sendable, Hashable {
  /// A memslot covers the frame but nothing backs it.
  case unbacked(GFN)
  /// No table page is left under the limit. **Units** pages.
  case tablePagesExhausted(limit: Int)
  /// A policy refuses the access.
  case denied(GPA)
  /// A policy stops the machine.
  case stopped(GPA)
  /// An entry that is neither MMIO nor zapped faulted as malformed: a bug; the entries of the walk.
  case malformedEntry(GPA, [WalkStep])
  /// The access exits again and again without getting on.
  case livelock(GPA)
  /// The vCPU's dirty ring must be harvested first.
  case dirtyRingFull(vcpu: Int)
  /// The page is of the other kind: private where it was used as shared, or the other way round.
  case memoryFault(GPA, isPrivate: Bool)
  /// The page has not come from another host yet: the access may be repeated.
  case pageNotYet(GFN)
  /// The page will never come.
  case pageLost(GFN)
  /// The vCPU may not enter the guest, and why.
  case cannotRun(reason: String)
  /// Whoever owns the tables refuses to map the page, and why.
  case refused(GPA, reason: String)
}

extension FaultError {
  /// Under which cause the exit to whoever runs the machine is counted.
  @inlinable
  public var cause: ExitCause {
    if case .memoryFault = self { return .memoryFault }
    return .error
  }
}

extension FaultError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .unbacked(let gfn): "no host memory backs guest frame \(gfn)"
    case .tablePagesExhausted(let limit): "the limit of \(limit) table pages is reached"
    case .denied(let gpa): "a policy denies access to \(gpa)"
    case .stopped(let gpa): "a policy stops the machine at \(gpa)"
    case .malformedEntry(let gpa, let steps):
      "malformed entry at \(gpa): "
        + steps.map { "level \($0.level) \(SPTE($0.entry))" }.joined(separator: ", ")
    case .dirtyRingFull(let vcpu): "the dirty ring of vCPU \(vcpu) is full"
    case .memoryFault(let gpa, let isPrivate):
      "a \(isPrivate ? "private" : "shared") access to \(gpa), which is of the other kind"
    case .pageNotYet(let gfn): "the page of guest frame \(gfn) has not come yet"
    case .pageLost(let gfn): "the page of guest frame \(gfn) cannot be had"
    case .cannotRun(let reason): "the guest cannot run: \(reason)"
    case .refused(let gpa, let reason): "\(gpa) cannot be mapped: \(reason)"
    case .livelock(let gpa): "the access to \(gpa) exits again and again"
    }
  }
}

/// Handles the exits of one kind of hardware.
///
/// A handler is shared by all vCPUs; what one vCPU brings is its `CPU`, lent for the call.
public protocol FaultHandler: Sendable {
  /// What the hardware reports.
  associatedtype Exit: MMUExit
  /// What one vCPU keeps for the handler: its root, caches and counters.
  associatedtype CPU

  /// Handles one exit.
  func handle(
    _ exit: Exit, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome
}
