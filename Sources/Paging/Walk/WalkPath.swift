/// The entries of one walk above its leaf, kept until the access is judged (SPEC W11).
///
/// Where they are follows from what they hold, so their addresses are not kept.
@frozen
@usableFromInline
struct WalkPath<Entry: TableEntry> {
  // PERF: walk.checked.random; eight places, so that an index of three bits needs no check.
  @usableFromInline var entries: InlineArray<8, Entry> = .init(repeating: 0)

  @inlinable
  init() {}

  /// The highest level that a path can hold.
  @inlinable
  static var highest: Level { Level(7) }

  /// The entry of a level. **Requires** a level up to `highest`.
  @inlinable
  subscript(level: Level) -> Entry {
    @inline(__always) get { entries[level.rawValue & 7] }
    @inline(__always) set { entries[level.rawValue & 7] = newValue }
  }
}

extension Walker {
  /// Sets A on the way down and D in the leaf, root first, as hardware does.
  @inlinable
  @inline(never)  // PERF: walk.checked.random; the first access to a page pays, the others do not.
  func mark<Memory: EntryMemory & ~Copyable>(
    _ path: WalkPath<Format.Entry>, leaf: Format.Entry, at bottom: Level, from top: Level,
    _ root: UInt64, _ address: Address<Format.Input>, _ access: Format.Access,
    in memory: borrowing Memory
  ) -> WalkMarking<Format.Entry, Memory.Failure> {
    precondition(top <= WalkPath<Format.Entry>.highest, "a format with more than seven levels")
    var table = root
    var level = top
    while true {
      let isLeaf = level == bottom
      let entry = isLeaf ? leaf : path[level]
      let desired = format.marked(entry, at: level, isLeaf: isLeaf, by: access)
      var held = entry
      if desired != entry {
        let index = format.index(of: address.rawValue, at: level)
        let entryAddress = table &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
        switch memory.compareExchange(
          Address<Memory.Space>(entryAddress), expected: entry, desired: desired)
        {
        case .success(.stored): held = desired
        case .success(.lost): return .lost
        case .success(.readOnly): break
        case .failure(let failure):
          return .unwritable(failure, entry: entryAddress, level: level)
        }
      }
      if isLeaf { return .done(leaf: held) }
      table = format.table(in: entry, at: level)
      level = level.below
    }
  }

  /// What a walk that ended badly returns.
  @inlinable
  @inline(never)  // PERF: walk.plain.random; keeps what is rare out of the loop's code.
  func refusal<MemoryFailure: Error>(
    _ cause: FaultCause, at level: Level, _ address: Address<Format.Input>,
    for access: Format.Access, rights: Format.Rights, entry: Format.Entry
  ) -> WalkFailure<Format.Fault, MemoryFailure> {
    .fault(format.fault(cause, at: level, address, for: access, rights: rights, entry: entry))
  }
}
