/// A format whose entries software can make: the other half of walking.
public protocol EditablePagingFormat: PagingFormat {
  /// An entry that points to a table and takes no rights away.
  func tableEntry(_ table: UInt64, at level: Level) -> Entry
  /// An entry that maps a page.
  ///
  /// - Parameters:
  ///   - page: the first byte; a multiple of the level's page size.
  ///   - level: the level of the entry.
  ///   - permissions: what the mapping grants.
  func leafEntry(_ page: UInt64, at level: Level, _ permissions: Permissions) -> Entry
  /// A table entry that grants at least `permissions` besides what it granted.
  func widened(_ entry: Entry, at level: Level, by permissions: Permissions) -> Entry
  /// The level whose leaves have a size, or `nil` where the format has no such page.
  func leafLevel(of size: PageSize) -> Level?
  /// A leaf with other permissions; page, memory type and tracking bits stay.
  func restricted(_ leaf: Entry, at level: Level, to permissions: Permissions) -> Entry
  /// The leaf one level down that maps a part of a larger page as that page is mapped; `nil` where the
  /// smaller entry cannot hold it.
  func part(_ index: UInt64, of leaf: Entry, at level: Level) -> Entry?
}
