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
