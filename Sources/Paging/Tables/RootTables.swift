/// At most four tables, without an allocation.
@frozen
public struct RootTables: Sendable {
  @usableFromInline var tables: InlineArray<4, RootTable>
  @usableFromInline var filled = 0

  /// How many there are. **Units** tables.
  @inlinable
  public var count: Int { filled }

  /// No tables.
  @inlinable
  public init() { tables = .init(repeating: RootTable(0, at: Level(0))) }

  /// One table.
  @inlinable
  public init(_ table: RootTable) {
    self.init()
    append(table)
  }

  /// Adds a table. **Requires** that fewer than four are there.
  @inlinable
  public mutating func append(_ table: RootTable) {
    tables[filled] = table
    filled += 1
  }

  /// A table. **Requires** an index below `count`.
  @inlinable
  public subscript(index: Int) -> RootTable { tables[index] }
}
