extension Walker {
  /// Translates one address, beginning at the lowest table that the caches know.
  ///
  /// Without stale entries the outcome is that of `walk` without caches, and so are the A and D bits; a
  /// strategy is told of the entries that are read, not of those that are skipped. With stale entries
  /// it is what hardware may do: tables and rights as they were when they were cached, never a leaf,
  /// which this walk always reads. Entries of a path are cached by the first walk that finds their A
  /// bits set.
  ///
  /// Formats of more than six levels, or with tables of more than 4096 entries, are walked without.
  ///
  /// - Parameters:
  ///   - address: the address to translate.
  ///   - access: what is asked.
  ///   - root: where the highest table is.
  ///   - memory: where the tables are.
  ///   - strategy: what the walk does besides finding the page.
  ///   - tag: the address space, such as `TranslationRegime.addressSpaceTag`.
  ///   - cache: looked up and filled; after a refusal, emptied of what covers the address.
  /// - Complexity: as of `walk`, less a load for each level that is skipped.
  @inlinable
  public func walk<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, at root: Format.Root,
    in memory: borrowing Memory, _ strategy: inout Strategy, tag: UInt16,
    through cache: inout StructureCache<Format.Rights>
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    let linear = format.untagged(address, for: access)
    guard case .table(let table, let top) = format.start(linear, for: access, at: root),
      top > .pageTable, top <= TablePrefix.highest,
      let ways = ways(to: linear, from: table, top, tag)
    else { return walk(address, for: access, at: root, in: memory, &strategy) }
    var resumed = ResumedFormat(
      base: format, table: table, level: top, unrestricted: format.unrestricted)
    var level = Level.directory
    while level <= top {
      if let slot = cache.find(ways[level.rawValue & 7], level) {
        resumed = ResumedFormat(
          base: format, table: slot.table, level: level.below, unrestricted: slot.rights)
        break
      }
      level = level.above
    }
    cache.count(hit: level <= top)
    var following = Following(base: strategy)
    let outcome = Walker<ResumedFormat<Format>>(resumed)
      .walk(linear, for: access, at: root, in: memory, &following)
    strategy = following.base
    guard case .success(let translation) = outcome else {
      level = .directory
      while level <= top {
        cache.remove(ways[level.rawValue & 7], level)
        level = level.above
      }
      return outcome
    }
    var rights = resumed.unrestricted
    level = resumed.level
    while level > translation.level {
      let entry = Format.Entry(truncatingIfNeeded: following.entries[level.rawValue & 7])
      guard format.marked(entry, at: level, isLeaf: false, by: access) == entry else { break }
      format.narrow(&rights, by: entry, at: level)
      cache.insert(
        StructureCache.Slot(
          path: ways[level.rawValue & 7], table: format.table(in: entry, at: level),
          rights: rights),
        at: level)
      level = level.below
    }
    return outcome
  }

  /// By level, the way to the entry that covers an address; `nil` where an index has no room.
  @inlinable
  @inline(__always)
  func ways(
    to address: Address<Format.Input>, from root: UInt64, _ top: Level, _ tag: UInt16
  ) -> InlineArray<8, TablePrefix>? {
    var ways = InlineArray<8, TablePrefix>(
      repeating: TablePrefix(root: root, indices: 0, tag: tag))
    var indices: UInt64 = 0
    var level = top
    while level > .pageTable {
      let index = format.index(of: address.rawValue, at: level)
      if index > TablePrefix.largestIndex { return nil }
      indices = indices &<< 12 | index
      ways[level.rawValue & 7] = TablePrefix(root: root, indices: indices, tag: tag)
      level = level.below
    }
    return ways
  }
}

extension FormatRegime {
  /// Walks the format's tables, beginning at the lowest table that the caches know; see
  /// `Walker.walk(_:for:at:in:_:tag:through:)`.
  @inlinable
  public func translate<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, in memory: borrowing Memory,
    _ strategy: inout Strategy, tag: UInt16 = 0,
    through cache: inout StructureCache<Format.Rights>
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    Walker(format).walk(
      address, for: access, at: root, in: memory, &strategy, tag: tag, through: &cache)
  }
}
