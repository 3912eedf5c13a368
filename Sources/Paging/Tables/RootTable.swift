/// A table that a root names.
@frozen
public struct RootTable: Sendable, Hashable {
  /// Where it lies.
  public let address: UInt64
  /// Its level.
  public let level: Level
  /// The first address that it covers, not sign-extended.
  public let input: UInt64

  /// A table.
  @inlinable
  public init(_ address: UInt64, at level: Level, input: UInt64 = 0) {
    self.address = address
    self.level = level
    self.input = input
  }
}
