/// An exception as it is raised in a guest.
@frozen
public struct GuestException: Sendable, Hashable {
  /// The vector.
  public var vector: UInt8
  /// The error code.
  public var errorCode: UInt32
  /// Whether a translation failed, and not the address itself.
  public var isPageFault: Bool
  /// Whether a malformed entry caused it.
  public var isMalformed: Bool

  /// An exception.
  @inlinable
  public init(vector: UInt8, errorCode: UInt32, isPageFault: Bool, isMalformed: Bool) {
    self.vector = vector
    self.errorCode = errorCode
    self.isPageFault = isPageFault
    self.isMalformed = isMalformed
  }
}
