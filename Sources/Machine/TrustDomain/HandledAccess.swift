/// An access of a trust domain's guest, with all that its handler of #VE did for it.
public struct HandledAccess<Fault: Error & Sendable>: Sendable {
  /// How the access ended; a #VE where the handler could not help.
  public var report: AccessReport<Fault>
  /// What the handler did, in order.
  public var calls: [GuestCall] = []
}
