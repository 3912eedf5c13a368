/// Where a walk begins when the top level is a table in memory.
@frozen
public struct TableRoot: Sendable, Hashable {
  /// The address of the table, in the space that the walk's memory serves.
  public let address: UInt64

  /// A table at a number that the caller vouches for.
  @inlinable
  public init(_ address: UInt64) { self.address = address }

  /// A table at an address.
  @inlinable
  public init<Kind>(_ address: Address<Kind>) { self.address = address.rawValue }
}
