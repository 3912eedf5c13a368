/// A shadow or second-level page-table entry: one that we write and hardware walks.
///
/// A bare word; what its bits mean is its encoder's `SPTELayout`.
@frozen
public struct SPTE: RawRepresentable, Hashable, Sendable {
  /// The entry.
  public let rawValue: UInt64

  /// Takes the entry as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Takes the entry as it is.
  @inlinable
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

extension SPTE: CustomStringConvertible {
  /// The entry in hex with `0x`.
  public var description: String { "0x" + String(rawValue, radix: 16) }
}
