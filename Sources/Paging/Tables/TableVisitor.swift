/// What happens after a visitor has seen a table or a page.
@frozen
public enum VisitStep<Answer> {
  /// The visit goes on.
  case next
  /// The visit goes on past the table, without what is below it.
  case skip
  /// The visit ends with a value.
  case stop(Answer)
}

/// How a visit ended.
@frozen
public enum VisitOutcome<Answer> {
  /// Everything was visited.
  case finished
  /// The visitor stopped it.
  case stopped(Answer)
  /// The budget was used up: hostile tables can map more than anybody can list.
  case exhausted
}

extension VisitStep: Sendable where Answer: Sendable {}
extension VisitOutcome: Sendable where Answer: Sendable {}

/// How much a visit may cost; tables that point to themselves would keep it busy for ever.
@frozen
public struct VisitBudget: Sendable, Hashable {
  /// **Units** tables, each counted as often as it is visited.
  public var tables: Int
  /// **Units** pages.
  public var pages: Int

  /// A budget; the default is about a second's work, and lists 256 GiB of small pages.
  @inlinable
  public init(tables: Int = 1 << 20, pages: Int = 1 << 26) {
    self.tables = tables
    self.pages = pages
  }
}

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

/// What is told of tables and pages in address order (SPEC P5, P6).
///
/// Every requirement but `page` has a default that goes on.
public protocol TableVisitor {
  /// Whose tables are visited.
  associatedtype Format: PagingFormat
  /// What the visit can end with.
  associatedtype Answer
  /// Before a table's entries.
  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Answer>
  /// After a table's entries; not called for tables that were skipped.
  mutating func leave(_ table: TableVisit<Format>)
  /// A page.
  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Answer>
  /// A present entry with reserved bits set.
  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Answer>
  /// A table of which an entry cannot be read; told once a table, of the first such entry.
  mutating func unreadable(_ table: TableVisit<Format>, entryAddress: UInt64) -> VisitStep<Answer>
}

extension TableVisitor {
  /// Goes on.
  @inlinable
  public mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Answer> { .next }
  /// Nothing.
  @inlinable
  public mutating func leave(_ table: TableVisit<Format>) {}
  /// Goes on.
  @inlinable
  public mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Answer> { .next }
  /// Goes on.
  @inlinable
  public mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Answer> { .next }
}
