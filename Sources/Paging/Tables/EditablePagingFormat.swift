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
  func widened(_ entry: Entry, by permissions: Permissions) -> Entry
  /// The level whose leaves have a size, or `nil` where the format has no such page.
  func leafLevel(of size: PageSize) -> Level?
  /// A leaf with other permissions; page, memory type and tracking bits stay.
  func restricted(_ leaf: Entry, at level: Level, to permissions: Permissions) -> Entry
  /// The leaf one level down that maps a part of a larger page as that page is mapped; `nil` where the
  /// smaller entry cannot hold it.
  func part(_ index: UInt64, of leaf: Entry, at level: Level) -> Entry?
}

/// A format for which a whole address space can be made from nothing.
public protocol BuildablePagingFormat: EditablePagingFormat, EnumerablePagingFormat {
  /// A root over fresh tables, or `nil` where no page is left; what was taken till then is forgotten.
  ///
  /// - Parameter takeTable: the next page for a table, which holds zeros; or `nil`.
  func makeRoot(takeTable: () -> UInt64?) -> Root?
}

/// Why a table cannot be edited.
public enum TableEditError: Error, Sendable, Hashable {
  /// The format has no page of this size.
  case noSuchPageSize(PageSize)
  /// An address or a length is no multiple of the page size.
  case misaligned(UInt64, PageSize)
  /// The walk ends before any table is read: the address is not canonical, or a PDPTE register is not
  /// present.
  case unreachable(UInt64, FaultCause)
  /// A table entry cannot be read or written.
  case unreadable(entry: UInt64)
  /// A larger page, or a malformed entry, is in the way.
  case blocked(address: UInt64, level: Level)
  /// No page is left for a table.
  case noTablePages
}

extension TableEditError: CustomStringConvertible {
  /// One line.
  public var description: String {
    func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
    switch self {
    case .noSuchPageSize(let size): return "the paging mode has no pages of \(size)"
    case .misaligned(let value, let size): return "\(hex(value)) is not a multiple of \(size)"
    case .unreachable(let address, let cause):
      return "\(hex(address)) cannot be mapped: \(cause)"
    case .unreadable(let entry): return "the table entry at \(hex(entry)) is in no memory"
    case .blocked(let address, let level):
      return "\(hex(address)) is mapped already by an entry of level \(level)"
    case .noTablePages: return "no page is left for a table"
    }
  }
}
