/// A format whose walks begin below the root: at a table and with rights that an earlier walk found.
@frozen
@usableFromInline
struct ResumedFormat<Base: PagingFormat>: PagingFormat {
  @usableFromInline let base: Base
  @usableFromInline let table: UInt64
  @usableFromInline let level: Level
  @usableFromInline let unrestricted: Base.Rights

  @inlinable
  init(base: Base, table: UInt64, level: Level, unrestricted: Base.Rights) {
    self.base = base
    self.table = table
    self.level = level
    self.unrestricted = unrestricted
  }

  /// The address was checked and its tag removed when the table was looked up.
  @inlinable
  @inline(__always)
  func start(_ address: Address<Base.Input>, for access: Base.Access, at root: Base.Root)
    -> WalkStart
  {
    .table(table, level)
  }

  @inlinable
  @inline(__always)
  func index(of address: UInt64, at level: Level) -> UInt64 { base.index(of: address, at: level) }

  @inlinable
  @inline(__always)
  func kind(of entry: Base.Entry, at level: Level) -> EntryKind { base.kind(of: entry, at: level) }

  @inlinable
  @inline(__always)
  func table(in entry: Base.Entry, at level: Level) -> UInt64 { base.table(in: entry, at: level) }

  @inlinable
  @inline(__always)
  func page(in entry: Base.Entry, at level: Level) -> PageFrame { base.page(in: entry, at: level) }

  @inlinable
  @inline(__always)
  func narrow(_ rights: inout Base.Rights, by entry: Base.Entry, at level: Level) {
    base.narrow(&rights, by: entry, at: level)
  }

  @inlinable
  @inline(__always)
  func permits(
    _ access: Base.Access, rights: Base.Rights, tables: Base.Rights, leaf: Base.Entry
  ) -> Bool { base.permits(access, rights: rights, tables: tables, leaf: leaf) }

  @inlinable
  @inline(__always)
  func marked(
    _ entry: Base.Entry, at level: Level, isLeaf: Bool, by access: Base.Access
  ) -> Base.Entry { base.marked(entry, at: level, isLeaf: isLeaf, by: access) }

  @inlinable
  @inline(__always)
  func mayBeUnmarked(_ rights: Base.Rights, leaf: Base.Entry, by access: Base.Access) -> Bool {
    base.mayBeUnmarked(rights, leaf: leaf, by: access)
  }

  @inlinable
  func fault(
    _ cause: FaultCause, at level: Level, _ address: Address<Base.Input>, for access: Base.Access,
    rights: Base.Rights, entry: Base.Entry
  ) -> Base.Fault {
    base.fault(cause, at: level, address, for: access, rights: rights, entry: entry)
  }

  @inlinable
  func permissions(of rights: Base.Rights) -> Permissions { base.permissions(of: rights) }

  @inlinable
  func entryName(at level: Level) -> String { base.entryName(at: level) }
}

/// Another strategy, with the entries above the leaf kept by their level.
@frozen
@usableFromInline
struct Following<Base: WalkStrategy>: WalkStrategy {
  @usableFromInline var base: Base
  @usableFromInline var entries = InlineArray<8, UInt64>(repeating: 0)

  @inlinable
  init(base: Base) { self.base = base }

  @inlinable
  static var judges: Bool { Base.judges }
  @inlinable
  static var marks: Bool { Base.marks }

  @inlinable
  @inline(__always)
  mutating func read(_ step: WalkStep) {
    entries[step.level.rawValue & 7] = step.entry
    base.read(step)
  }

  @inlinable
  @inline(__always)
  mutating func restart() { base.restart() }
}
