/// A page that a leaf entry maps: its first byte and its size.
@frozen
public struct PageFrame: Sendable, Hashable {
  /// The first byte, in the space that the table's memory serves.
  public let base: UInt64
  /// The size.
  public let size: PageSize

  /// A page at an address that is a multiple of its size.
  @inlinable
  public init(base: UInt64, size: PageSize) {
    self.base = base
    self.size = size
  }
}
