/// An entry that maps a page, or a malformed one, as it is visited.
@frozen
public struct PageVisit<Format: PagingFormat>: Sendable {
  /// The level of the entry.
  public let level: Level
  /// The first address that the entry covers.
  public let input: Address<Format.Input>
  /// Where the entry lies.
  public let entryAddress: UInt64
  /// The entry.
  public let entry: UInt64
  /// The page; of a malformed entry what its address bits say.
  public let page: PageFrame
  /// What all entries grant together, this one included.
  public let rights: Format.Rights

  /// A page.
  @inlinable
  public init(
    level: Level, input: Address<Format.Input>, entryAddress: UInt64, entry: UInt64,
    page: PageFrame, rights: Format.Rights
  ) {
    self.level = level
    self.input = input
    self.entryAddress = entryAddress
    self.entry = entry
    self.page = page
    self.rights = rights
  }
}
