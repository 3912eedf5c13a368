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
