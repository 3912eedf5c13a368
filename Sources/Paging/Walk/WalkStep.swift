/// One entry read by a walk.
@frozen
public struct WalkStep: Sendable, Hashable {
  /// The level of the entry.
  public let level: Level
  /// Where the entry is, in the space of the walk's memory.
  public let entryAddress: UInt64
  /// The entry, widened to 64 bits.
  public let entry: UInt64
  /// What the format says it is.
  public let kind: EntryKind

  /// An entry that was read.
  @inlinable
  public init(level: Level, entryAddress: UInt64, entry: UInt64, kind: EntryKind) {
    self.level = level
    self.entryAddress = entryAddress
    self.entry = entry
    self.kind = kind
  }
}
