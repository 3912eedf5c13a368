/// Builds and changes tables in place, by plain stores: for tables that nobody walks meanwhile.
///
/// An operation does all of its work or none: where it throws, every entry holds what it held before
/// and every table page that was taken has been given back, zeroed (SPEC P7, P8).
public struct PageTableEditor<Format: EditablePagingFormat>: Sendable {
  /// The format.
  public let format: Format
  /// Where its walks begin.
  public let root: Format.Root

  /// An editor of one address space.
  public init(_ format: Format, root: Format.Root) {
    self.format = format
    self.root = root
  }

  /// Maps a range, page by page, linking the tables that are missing.
  ///
  /// - Parameters:
  ///   - address: the first address.
  ///   - page: the physical page.
  ///   - length: **Units** bytes; a multiple of the page size.
  ///   - pageSize: the size of the pages.
  ///   - permissions: what the mapping grants.
  ///   - access: the access the walk is started with, where the format asks.
  ///   - memory: where the tables are.
  ///   - takeTable: the next page for a table, which holds zeros; or `nil`.
  ///   - giveTable: takes back a page that was taken and is not needed; it holds zeros.
  /// - Throws: `TableEditError`; nothing is changed.
  public func map<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, to page: Address<Memory.Space>, length: UInt64,
    pageSize: PageSize, permissions: Permissions, for access: Format.Access,
    in memory: borrowing Memory, takeTable: () -> Address<Memory.Space>?,
    giveTable: (Address<Memory.Space>) -> Void = { _ in }
  ) throws(TableEditError) {
    var journal = TableJournal<Format.Entry>()
    do {
      try map(
        address, to: page, length: length, pageSize: pageSize, permissions: permissions,
        for: access, in: memory, &journal, takeTable)
    } catch {
      journal.undo(in: memory, giveTable)
      throw error
    }
  }

  func map<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, to page: Address<Memory.Space>, length: UInt64,
    pageSize: PageSize, permissions: Permissions, for access: Format.Access,
    in memory: borrowing Memory, _ journal: inout TableJournal<Format.Entry>,
    _ takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) {
    guard let leafLevel = format.leafLevel(of: pageSize) else { throw .noSuchPageSize(pageSize) }
    for value in [address.rawValue, page.rawValue, length]
    where value & pageSize.offsetMask != 0 {
      throw .misaligned(value, pageSize)
    }
    var offset: UInt64 = 0
    while offset < length {
      try map(
        address.wrappingAdd(offset), to: page.wrappingAdd(offset), at: leafLevel, permissions,
        access, in: memory, &journal, takeTable)
      let (next, overflow) = offset.addingReportingOverflow(pageSize.bytes)
      if overflow { return }
      offset = next
    }
  }

  private func map<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, to page: Address<Memory.Space>, at leafLevel: Level,
    _ permissions: Permissions, _ access: Format.Access, in memory: borrowing Memory,
    _ journal: inout TableJournal<Format.Entry>, _ takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) {
    var (table, level) = try start(address, access)
    while true {
      let index = format.index(of: address.rawValue, at: level)
      let place = table &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
      let old = try load(place, in: memory)
      let kind = format.kind(of: old, at: level)
      if level == leafLevel {
        guard kind != .table else { throw .blocked(address: address.rawValue, level: level) }
        let new = format.leafEntry(page.rawValue, at: level, permissions)
        return try journal.store(new, over: old, at: place, in: memory)
      }
      switch kind {
      case .table:
        let wide = format.widened(old, at: level, by: permissions)
        if wide != old { try journal.store(wide, over: old, at: place, in: memory) }
        table = format.table(in: old, at: level)
      case .notPresent:
        guard let page = takeTable() else { throw .noTablePages }
        journal.taken.append(page.rawValue)
        let new = format.tableEntry(page.rawValue, at: level)
        try journal.store(new, over: old, at: place, in: memory)
        table = page.rawValue
      case .leaf, .reserved: throw .blocked(address: address.rawValue, level: level)
      }
      level = level.below
    }
  }

  func start(
    _ address: Address<Format.Input>, _ access: Format.Access
  ) throws(TableEditError) -> (table: UInt64, level: Level) {
    switch format.start(address, for: access, at: root) {
    case .table(let base, let top): return (base, top)
    case .refused(let cause, _): throw .unreachable(address.rawValue, cause)
    }
  }

  func load<Memory: EntryMemory & ~Copyable>(
    _ place: UInt64, in memory: borrowing Memory
  ) throws(TableEditError) -> Format.Entry {
    guard case .success(let entry) = memory.load(Address(place), as: Format.Entry.self) else {
      throw .unreadable(entry: place)
    }
    return entry
  }
}
