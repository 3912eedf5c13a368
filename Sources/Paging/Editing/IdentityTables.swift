/// A run of memory that tables map to itself.
public struct MemoryRange: Sendable, Hashable {
  /// The first byte.
  public let start: UInt64
  /// **Units** bytes.
  public let length: UInt64

  /// A run.
  public init(start: UInt64, length: UInt64) {
    self.start = start
    self.length = length
  }
}

extension PageTableEditor where Format: BuildablePagingFormat {
  /// Builds tables that map a memory layout to itself, by the largest pages that fit (SPEC P7).
  ///
  /// - Parameters:
  ///   - format: how entries are laid out.
  ///   - layout: runs of whole 4 KiB pages.
  ///   - permissions: what the mapping grants.
  ///   - access: what is asked.
  ///   - memory: where the tables are.
  ///   - takeTable: the next page for a table, which holds zeros; or `nil`.
  ///   - giveTable: takes a page back, zeroed, where the build fails.
  /// - Returns: the editor of the new tables.
  /// - Throws: `TableEditError`; every page that was taken has been given back.
  public static func identity<Memory: EntryMemory & ~Copyable>(
    _ format: Format, over layout: [MemoryRange], permissions: Permissions,
    for access: Format.Access, in memory: borrowing Memory,
    takeTable: () -> Address<Memory.Space>?, giveTable: (Address<Memory.Space>) -> Void
  ) throws(TableEditError) -> PageTableEditor {
    var journal = TableJournal<Format.Entry>()
    func take() -> UInt64? {
      guard let page = takeTable() else { return nil }
      journal.taken.append(page.rawValue)
      return page.rawValue
    }
    guard let root = format.makeRoot(takeTable: take) else {
      journal.undo(in: memory, giveTable)
      throw .noTablePages
    }
    let editor = PageTableEditor(format, root: root)
    do {
      for range in layout {
        try editor.mapIdentity(range, permissions, access, in: memory, &journal, takeTable)
      }
    } catch {
      journal.undo(in: memory, giveTable)
      throw error
    }
    return editor
  }

  private func mapIdentity<Memory: EntryMemory & ~Copyable>(
    _ range: MemoryRange, _ permissions: Permissions, _ access: Format.Access,
    in memory: borrowing Memory, _ journal: inout TableJournal<Format.Entry>,
    _ takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) {
    for value in [range.start, range.length] where value & 0xFFF != 0 {
      throw .misaligned(value, .size4KiB)
    }
    let sizes: [PageSize] = [.size1GiB, .size4MiB, .size2MiB, .size4KiB]
    let usable = sizes.filter { format.leafLevel(of: $0) != nil }
    var offset: UInt64 = 0
    while offset < range.length {
      let start = range.start &+ offset
      let left = range.length - offset
      // 4 KiB always fits: both numbers are multiples of it.
      let size =
        usable.first { start & $0.offsetMask == 0 && $0.bytes <= left } ?? .size4KiB
      try map(
        Address(start), to: Address(start), length: size.bytes, pageSize: size,
        permissions: permissions, for: access, in: memory, &journal, takeTable)
      offset += size.bytes
    }
  }

  /// Frees all tables below the root, each once, however often it is linked; each page is given back
  /// zeroed (SPEC P8). The root must not be used afterwards.
  ///
  /// - Returns: `false` where the budget was used up, which tables that were built here never do:
  ///   then nothing was freed.
  public func free<Memory: EntryMemory & ~Copyable>(
    in memory: borrowing Memory, budget: VisitBudget = VisitBudget(),
    giveTable: (Address<Memory.Space>) -> Void
  ) -> Bool {
    var collector = TableCollector<Format>()
    var budget = budget
    guard
      case .finished = PageTables(format, root: root).walk(in: memory, &collector, &budget)
    else { return false }
    for (address, level) in collector.tables {
      for index in 0..<format.shape(at: level).count {
        let place = Address<Memory.Space>(
          address &+ UInt64(index &* MemoryLayout<Format.Entry>.size))
        if case .success(let entry) = memory.load(place, as: Format.Entry.self), entry != 0 {
          _ = memory.compareExchange(place, expected: entry, desired: 0)
        }
      }
    }
    for (address, _) in collector.tables { giveTable(Address(address)) }
    return true
  }
}

/// Lists tables, each once.
private struct TableCollector<Format: PagingFormat>: TableVisitor {
  typealias Answer = Never

  var tables: [(address: UInt64, level: Level)] = []
  private var seen: Set<UInt64> = []

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    guard seen.insert(table.address).inserted else { return .skip }
    tables.append((table.address, table.level))
    return .next
  }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> { .next }
}
