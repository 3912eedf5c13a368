/// A format whose whole address space can be visited: it says where its tables begin.
///
/// What an entry covers follows from `index(of:at:)`, which is a run of address bits in every format.
/// In every format an entry of zeros is not present.
public protocol EnumerablePagingFormat: PagingFormat {
  /// The tables that a root names, in address order: one, or PAE's up to four.
  func rootTables(of root: Root) -> RootTables
  /// The address whose low bits are given, as an access has it: sign-extended where the format
  /// wants canonical addresses.
  func extended(_ address: UInt64) -> Address<Input>
  /// What the entries of a table cover, and how many there are; by default as `index(of:at:)` says.
  func shape(at level: Level) -> TableShape
}

extension EnumerablePagingFormat {
  /// The low bits alone.
  @inlinable
  public func extended(_ address: UInt64) -> Address<Input> { Address(address) }

  /// What the entries of a table cover, and how many there are.
  @inlinable
  public func shape(at level: Level) -> TableShape {
    // The lowest address bit that moves the index is the first of its run.
    var shift = 0
    while shift < 63, index(of: 1 &<< UInt64(shift), at: level) == 0 { shift &+= 1 }
    return TableShape(entryShift: shift, count: Int(index(of: ~0, at: level)) &+ 1)
  }
}

/// A table's geometry.
@frozen
public struct TableShape: Sendable, Hashable {
  /// An entry covers 2^`entryShift` bytes.
  public let entryShift: Int
  /// **Units** entries.
  public let count: Int

  /// A geometry.
  @inlinable
  public init(entryShift: Int, count: Int) {
    self.entryShift = entryShift
    self.count = count
  }

  /// What an entry covers.
  @inlinable
  public var entrySize: PageSize { PageSize(shift: entryShift) }
  /// What the table covers.
  @inlinable
  public var size: PageSize { PageSize(shift: entryShift + count.trailingZeroBitCount) }
}

/// A table that a root names.
@frozen
public struct RootTable: Sendable, Hashable {
  /// Where it lies.
  public let address: UInt64
  /// Its level.
  public let level: Level
  /// The first address that it covers, not sign-extended.
  public let input: UInt64

  /// A table.
  @inlinable
  public init(_ address: UInt64, at level: Level, input: UInt64 = 0) {
    self.address = address
    self.level = level
    self.input = input
  }
}

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
