public import Paging

/// Counts of a tree, level by level.
public struct TreeSummary: Sendable, Hashable {
  /// What one level holds.
  public struct Row: Sendable, Hashable {
    /// The level of the tables.
    public let level: Level
    /// Different tables. **Units** tables.
    public let tables: Int
    /// Tables that more than one entry links. **Units** tables.
    public let shared: Int
    /// The most entries that link one table.
    public let mostLinks: Int
    /// Entries that link tables. **Units** entries.
    public let links: Int
    /// Entries that map pages, each table's counted once. **Units** entries.
    public let pages: Int
    /// The size of those pages.
    public let pageSize: PageSize
    /// Malformed entries. **Units** entries.
    public let malformed: Int
    /// Tables that the image does not hold whole. **Units** tables.
    public let unreadable: Int
    /// Entries that the tables have room for.
    public let capacity: Int
  }

  /// The levels, top first.
  public let rows: [Row]

  /// Counts a tree.
  public init(_ tree: TableTree) {
    let levels = Set(tree.nodes.map(\.level)).sorted(by: >)
    rows = levels.map { level in
      let nodes = tree.nodes.filter { $0.level == level }
      let capacity = nodes.reduce(0) { $0 + $1.capacity }
      let entryShift =
        nodes.first.map { $0.coverage.shift - $0.capacity.trailingZeroBitCount } ?? 12
      return Row(
        level: level, tables: nodes.count, shared: nodes.count { $0.links > 1 },
        mostLinks: nodes.map(\.links).max() ?? 0, links: nodes.reduce(0) { $0 + $1.tables },
        pages: nodes.reduce(0) { $0 + $1.pages }, pageSize: PageSize(shift: entryShift),
        malformed: nodes.reduce(0) { $0 + $1.malformed },
        unreadable: nodes.count { $0.isUnreadable }, capacity: capacity)
    }
  }
}
