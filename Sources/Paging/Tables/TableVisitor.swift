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
