/// The level of a table entry: 1 is the level of 4 KiB leaves, 5 the highest that exists.
///
/// **Bits** an entry at level n of an x86 long-mode table maps 2^(12 + 9(n-1)) bytes.
@frozen
public struct Level: RawRepresentable, Hashable, Comparable, Sendable {
  /// The number of the level, 1 for the last.
  public let rawValue: Int

  /// Wraps a level number.
  @inlinable
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Wraps a level number.
  @inlinable
  public init(_ rawValue: Int) { self.rawValue = rawValue }

  /// The level of 4 KiB leaves.
  @inlinable
  public static var pageTable: Level { Level(1) }
  /// The level of 2 MiB (4 MiB in two-level paging) leaves.
  @inlinable
  public static var directory: Level { Level(2) }
  /// The level of 1 GiB leaves.
  @inlinable
  public static var directoryPointer: Level { Level(3) }

  /// The next level towards the leaves.
  @inlinable
  public var below: Level { Level(rawValue &- 1) }

  /// The next level towards the root.
  @inlinable
  public var above: Level { Level(rawValue &+ 1) }

  /// Orders by number, so a leaf level is less than a root level.
  @inlinable
  public static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
}

extension Level: CustomStringConvertible {
  /// The level's number.
  public var description: String { String(rawValue) }
}
