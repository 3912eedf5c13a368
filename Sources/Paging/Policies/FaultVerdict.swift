/// What a policy says of a fault, mildest first.
@frozen
public enum FaultVerdict: Sendable, Hashable {
  /// Go on as the MMU would.
  case proceed
  /// Treat the access as MMIO, slot or not.
  case emulate
  /// Raise an exception in the guest.
  case inject(vector: UInt8, errorCode: UInt32)
  /// Refuse: the access ends with an error.
  case deny
  /// Stop the machine and say so.
  case exit

  /// How strict the verdict is; of several policies the strictest verdict counts.
  @inlinable
  public var strictness: Int {
    switch self {
    case .proceed: 0
    case .emulate: 1
    case .inject: 2
    case .deny: 3
    case .exit: 4
    }
  }
}
