extension PageTableEditor {
  /// Unmaps a range; larger pages that lie in it in part are split. Tables stay linked.
  ///
  /// - Parameters:
  ///   - address: the first address.
  ///   - length: **Units** bytes; a multiple of 4 KiB.
  ///   - access: what is asked.
  ///   - memory: where the tables are.
  ///   - takeTable: gives a zeroed page for a table, or `nil` where there is none.
  ///   - giveTable: takes back a table that is not used any more.
  /// - Returns: how many entries were cleared.
  /// - Throws: `TableEditError`; nothing is changed.
  @discardableResult
  public func unmap<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, length: UInt64, for access: Format.Access,
    in memory: borrowing Memory, takeTable: () -> Address<Memory.Space>?,
    giveTable: (Address<Memory.Space>) -> Void = { _ in }
  ) throws(TableEditError) -> Int {
    try edit(
      address, length, access, widening: nil, in: memory, takeTable, giveTable
    ) { _, _ in .replace(0) }
  }

  /// Gives the mapped pages of a range other permissions; larger pages that lie in it in part are
  /// split. What is not mapped stays so.
  ///
  /// - Parameters:
  ///   - address: the first address.
  ///   - length: **Units** bytes; a multiple of 4 KiB.
  ///   - permissions: what the mapping grants.
  ///   - access: what is asked.
  ///   - memory: where the tables are.
  ///   - takeTable: gives a zeroed page for a table, or `nil` where there is none.
  ///   - giveTable: takes back a table that is not used any more.
  /// - Returns: how many pages were changed.
  /// - Throws: `TableEditError`; nothing is changed.
  @discardableResult
  public func protect<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, length: UInt64, permissions: Permissions,
    for access: Format.Access, in memory: borrowing Memory,
    takeTable: () -> Address<Memory.Space>?,
    giveTable: (Address<Memory.Space>) -> Void = { _ in }
  ) throws(TableEditError) -> Int {
    try edit(
      address, length, access, widening: permissions, in: memory, takeTable, giveTable
    ) { entry, level in .replace(format.restricted(entry, at: level, to: permissions)) }
  }

  /// Splits the larger pages that a range touches into pages of a size; each maps what it mapped.
  ///
  /// - Parameters:
  ///   - address: the first address.
  ///   - length: **Units** bytes; a multiple of 4 KiB.
  ///   - pageSize: the size of the pages.
  ///   - access: what is asked.
  ///   - memory: where the tables are.
  ///   - takeTable: gives a zeroed page for a table, or `nil` where there is none.
  ///   - giveTable: takes back a table that is not used any more.
  /// - Throws: `TableEditError`; nothing is changed.
  public func split<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, length: UInt64, to pageSize: PageSize,
    for access: Format.Access, in memory: borrowing Memory,
    takeTable: () -> Address<Memory.Space>?,
    giveTable: (Address<Memory.Space>) -> Void = { _ in }
  ) throws(TableEditError) {
    guard let wanted = format.leafLevel(of: pageSize) else { throw .noSuchPageSize(pageSize) }
    try edit(
      address, length, access, widening: nil, in: memory, takeTable, giveTable
    ) { entry, level in level > wanted ? .split : .replace(entry) }
  }
}

/// What becomes of a leaf that lies wholly in an edited range.
enum LeafEdit<Entry> {
  case replace(Entry)
  case split
}

extension PageTableEditor {
  /// Visits the leaves of a range, splitting those that reach over its ends.
  @discardableResult
  private func edit<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, _ length: UInt64, _ access: Format.Access,
    widening: Permissions?, in memory: borrowing Memory,
    _ takeTable: () -> Address<Memory.Space>?, _ giveTable: (Address<Memory.Space>) -> Void,
    _ change: (Format.Entry, Level) -> LeafEdit<Format.Entry>
  ) throws(TableEditError) -> Int {
    for value in [address.rawValue, length] where value & 0xFFF != 0 {
      throw .misaligned(value, .size4KiB)
    }
    var journal = TableJournal<Format.Entry>()
    var changed = 0
    do {
      var offset: UInt64 = 0
      while offset < length {
        let step = try editLeaf(
          address.wrappingAdd(offset), left: length - offset, access, widening, in: memory,
          &journal, takeTable, &changed, change)
        guard step < length - offset else { break }
        offset += step
      }
    } catch {
      journal.undo(in: memory, giveTable)
      throw error
    }
    return changed
  }

  /// Edits the leaf at an address, or passes over what is not mapped there.
  ///
  /// - Returns: how far it is to the next leaf. **Units** bytes.
  private func editLeaf<Memory: EntryMemory & ~Copyable>(
    _ address: Address<Format.Input>, left: UInt64, _ access: Format.Access,
    _ widening: Permissions?, in memory: borrowing Memory,
    _ journal: inout TableJournal<Format.Entry>, _ takeTable: () -> Address<Memory.Space>?,
    _ changed: inout Int, _ change: (Format.Entry, Level) -> LeafEdit<Format.Entry>
  ) throws(TableEditError) -> UInt64 {
    var (table, level) = try start(address, access)
    while true {
      let index = format.index(of: address.rawValue, at: level)
      let place = table &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
      let old = try load(place, in: memory)
      let size = entrySize(at: level)
      let rest = size.bytes - address.offset(in: size)
      switch format.kind(of: old, at: level) {
      case .notPresent: return rest
      case .reserved: throw .blocked(address: address.rawValue, level: level)
      case .table:
        if let widening {
          let wide = format.widened(old, at: level, by: widening)
          if wide != old { try journal.store(wide, over: old, at: place, in: memory) }
        }
        table = format.table(in: old, at: level)
      case .leaf:
        let isWhole = rest == size.bytes && left >= rest
        var edit = change(old, level)
        if case .replace(let new) = edit, !isWhole, new != old { edit = .split }
        guard case .replace(let new) = edit else {
          table = try split(old, at: level, place, address, in: memory, &journal, takeTable)
          if let widening {
            let link = try load(place, in: memory)
            let wide = format.widened(link, at: level, by: widening)
            if wide != link { try journal.store(wide, over: link, at: place, in: memory) }
          }
          level = level.below
          continue
        }
        if new != old {
          try journal.store(new, over: old, at: place, in: memory)
          changed += 1
        }
        return rest
      }
      level = level.below
    }
  }

  /// Replaces a leaf by a table that maps the same.
  private func split<Memory: EntryMemory & ~Copyable>(
    _ leaf: Format.Entry, at level: Level, _ place: UInt64, _ address: Address<Format.Input>,
    in memory: borrowing Memory, _ journal: inout TableJournal<Format.Entry>,
    _ takeTable: () -> Address<Memory.Space>?
  ) throws(TableEditError) -> UInt64 {
    guard level > .pageTable else { throw .misaligned(address.rawValue, .size4KiB) }
    guard let page = takeTable() else { throw .noTablePages }
    journal.taken.append(page.rawValue)
    let count = format.index(of: ~0, at: level.below) + 1
    for index in 0..<count {
      guard let part = format.part(index, of: leaf, at: level) else {
        throw .blocked(address: address.rawValue, level: level)
      }
      let target = page.rawValue &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
      try journal.store(part, over: 0, at: target, in: memory)
    }
    let link = format.tableEntry(page.rawValue, at: level)
    try journal.store(link, over: leaf, at: place, in: memory)
    return page.rawValue
  }

  /// What an entry of a level covers: the lowest address bit that moves its index.
  private func entrySize(at level: Level) -> PageSize {
    var shift = 12
    while shift < 63, format.index(of: 1 << UInt64(shift), at: level) == 0 { shift += 1 }
    return PageSize(shift: shift)
  }
}
