/// What the entries of a walk grant together, in a form every format can be put into.
///
/// `permissions` is what entries grant; what was asked for is an *access* and belongs to a format.
@frozen
public struct Permissions: OptionSet, Hashable, Sendable {
  /// Bit 0 read, 1 write, 2 execute, 3 user.
  public let rawValue: UInt8

  /// Takes the bits as they are.
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Data may be read.
  @inlinable
  public static var read: Permissions { Permissions(rawValue: 1) }
  /// Data may be written.
  @inlinable
  public static var write: Permissions { Permissions(rawValue: 2) }
  /// Instructions may be fetched.
  @inlinable
  public static var execute: Permissions { Permissions(rawValue: 4) }
  /// The user (least privileged) mode may use the page.
  @inlinable
  public static var user: Permissions { Permissions(rawValue: 8) }
  /// Everything for everybody.
  @inlinable
  public static var all: Permissions { Permissions(rawValue: 15) }
}

extension Permissions: CustomStringConvertible {
  /// Four characters: `u`, `r`, `w`, `x`, each or `-`.
  public var description: String {
    (contains(.user) ? "u" : "-") + (contains(.read) ? "r" : "-")
      + (contains(.write) ? "w" : "-") + (contains(.execute) ? "x" : "-")
  }
}
