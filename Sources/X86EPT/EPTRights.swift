/// What EPT entries grant together.
@frozen
public struct EPTRights: Hashable, Sendable {
  /// Bits 0 R, 1 W, 2 X, 8 A, 10 user execute of all entries, ANDed.
  public var granted: UInt64

  /// Wraps folded bits.
  @inlinable
  public init(granted: UInt64) { self.granted = granted }
}
