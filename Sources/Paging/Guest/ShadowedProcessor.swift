/// A processor whose own page tables are shadowed: a refusal is an exception that it takes itself.
public protocol ShadowedProcessor: ShadowedGuest where Input == GuestVirtual {
  /// The address as the processor translates it: without tags, wrapped in 32-bit modes.
  func linear(_ gva: GVA, for access: Access) -> GVA
  /// A fault as the processor reports it.
  static func exception(of fault: Fault) -> GuestException
}

extension ShadowedProcessor {
  /// The exception is raised in the guest.
  public static func outcome(of fault: Fault) -> FaultOutcome {
    let exception = exception(of: fault)
    return .inject(vector: exception.vector, errorCode: exception.errorCode)
  }
}
