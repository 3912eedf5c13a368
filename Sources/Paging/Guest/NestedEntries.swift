/// How entries of a second level inside the guest are read.
public struct NestedEntries<Format: NestedFormat>: GuestEntryFormat {
  let format: Format?
  /// As many as the processor walks, whatever the tables have.
  public let shadowLevels: Level

  /// 8, or 0 without tables.
  public var entrySize: Int { format == nil ? 0 : 8 }
  /// The level of the root table's entries.
  public var topLevel: Level { format?.rootLevel ?? Level(0) }
  /// A and D.
  public var markBits: UInt64 { format?.markBits ?? 0 }

  /// Asks the format.
  public func decode(_ entry: UInt64, at level: Level) -> GuestEntry {
    format?.read(entry, at: level) ?? GuestEntry(kind: .notPresent)
  }
}
