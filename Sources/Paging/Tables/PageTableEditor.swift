/// Builds and changes tables in place, by plain stores: for guests' tables that nobody walks meanwhile.
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
  ///   - length: **Units** bytes; a multiple of the page size.
  ///   - access: the access the walk is started with, where the format asks.
  ///   - takeTable: the next page for a table, which holds zeros; or `nil`.
  /// - Throws: `TableEditError`; pages mapped before it stay mapped.
  public func map<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, to page: Address<Memory.Space>, length: UInt64,
    pageSize: PageSize, permissions: Permissions, for access: Format.Access,
    in memory: borrowing Memory, takeTable: () -> Address<Memory.Space>?
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
        access, in: memory, takeTable)
      offset += pageSize.bytes
    }
  }

  private func map<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, to page: Address<Memory.Space>, at leafLevel: Level,
    _ permissions: Permissions, _ access: Format.Access, in memory: borrowing Memory,
    _ takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) {
    var table: UInt64
    var level: Level
    switch format.start(address, for: access, at: root) {
    case .table(let base, let top): (table, level) = (base, top)
    case .refused(let cause, _): throw .unreachable(address.rawValue, cause)
    }
    while true {
      let index = format.index(of: address.rawValue, at: level)
      let place = table &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
      guard case .success(let old) = memory.load(Address(place), as: Format.Entry.self) else {
        throw .unreadable(entry: place)
      }
      let kind = format.kind(of: old, at: level)
      if level == leafLevel {
        guard kind != .table else { throw .blocked(address: address.rawValue, level: level) }
        let new = format.leafEntry(page.rawValue, at: level, permissions)
        return try store(new, over: old, at: place, in: memory)
      }
      switch kind {
      case .table:
        let wide = format.widened(old, by: permissions)
        if wide != old { try store(wide, over: old, at: place, in: memory) }
        table = format.table(in: old, at: level)
      case .notPresent:
        guard let page = takeTable() else { throw .noTablePages }
        let new = format.tableEntry(page.rawValue, at: level)
        try store(new, over: old, at: place, in: memory)
        table = page.rawValue
      case .leaf, .reserved: throw .blocked(address: address.rawValue, level: level)
      }
      level = level.below
    }
  }

  private func store<Memory: EntryMemory & ~Copyable>(
    _ new: Format.Entry, over old: Format.Entry, at place: UInt64, in memory: borrowing Memory
  ) throws(TableEditError) {
    guard
      case .success(.stored) = memory.compareExchange(
        Address(place), expected: old, desired: new)
    else { throw .unreadable(entry: place) }
  }
}
