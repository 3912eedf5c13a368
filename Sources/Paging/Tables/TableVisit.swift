/// A table as it is visited.
@frozen
public struct TableVisit<Format: PagingFormat>: Sendable {
  /// The table's own level: 1 for a table of 4 KiB pages.
  public let level: Level
  /// The first address that the table covers.
  public let input: Address<Format.Input>
  /// Where the table lies.
  public let address: UInt64
  /// Where the entry lies that points to it; `nil` for a root.
  public let entryAddress: UInt64?
  /// That entry; 0 for a root.
  public let entry: UInt64
  /// What the entries above grant together.
  public let rights: Format.Rights

  /// A table.
  @inlinable
  public init(
    level: Level, input: Address<Format.Input>, address: UInt64, entryAddress: UInt64?,
    entry: UInt64, rights: Format.Rights
  ) {
    self.level = level
    self.input = input
    self.address = address
    self.entryAddress = entryAddress
    self.entry = entry
    self.rights = rights
  }
}
