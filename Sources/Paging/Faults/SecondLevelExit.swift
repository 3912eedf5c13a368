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
