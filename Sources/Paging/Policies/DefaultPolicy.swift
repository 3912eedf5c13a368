/// The policy that changes nothing.
@frozen
public struct DefaultPolicy: MMUPolicy {
  /// The default policy.
  @inlinable
  public init() {}
}
