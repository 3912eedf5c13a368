/// How entries of a guest's tables are read, as a value that tells formats apart.
///
/// Equal values read every entry alike: shadow pages made under one serve all.
public protocol GuestEntryFormat: Hashable, Sendable {
  /// 4 or 8; 0 where the guest has no tables. **Units** bytes.
  var entrySize: Int { get }
  /// The level of the highest table that is in memory; 0 where the guest has none.
  var topLevel: Level { get }
  /// The size of the highest table, which begins at a multiple of it. **Units** bytes, at most 4,096.
  var topTableSize: UInt64 { get }
  /// The levels of the shadow, 4 or 5.
  var shadowLevels: Level { get }
  /// The bits of an entry in which the processor marks accesses and writes.
  var markBits: UInt64 { get }
  /// Whether a fault that the processor takes on a shadow entry that is not present is the guest's own
  /// to the last bit, where the guest's entry is not present either (SPEC E19).
  var canFaultByItself: Bool { get }
  /// Reads an entry.
  func decode(_ entry: UInt64, at level: Level) -> GuestEntry
}

extension GuestEntryFormat {
  /// A page.
  @inlinable
  public var topTableSize: UInt64 { 4096 }

  /// Not as far as is known.
  @inlinable
  public var canFaultByItself: Bool { false }
}
