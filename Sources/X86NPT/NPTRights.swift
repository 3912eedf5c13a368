/// What nested entries grant together: R/W and U/S ANDed, NX ORed.
@frozen
public struct NPTRights: Hashable, Sendable {
  /// Bits 1 (R/W), 2 (U/S), 5 (A) and 63 (not NX) of all entries, ANDed; other bits mean nothing.
  public var granted: UInt64

  /// Wraps folded bits.
  @inlinable
  public init(granted: UInt64) { self.granted = granted }
}
