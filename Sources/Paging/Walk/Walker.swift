/// The page walk: one function for every format and every memory.
///
/// Guest tables, shadow tables, EPT and NPT, images and nested translations are all walked here.
/// Order at each level: present, then reserved bits, then down; rights are judged on the whole walk
/// (SPEC W6). Accessed and dirty bits are set after the access is granted, by compare-exchange
/// against the values read; a lost race begins the walk again (SPEC W11).
@frozen
public struct Walker<Format: PagingFormat>: Sendable {
  /// The format walked.
  public let format: Format

  /// A walker of one format.
  @inlinable
  public init(_ format: Format) { self.format = format }

  /// How often a walk may begin again after losing a race on an A or D bit.
  @inlinable
  public static var restartBudget: Int { 64 }

  /// Translates one address.
  ///
  /// - Parameters:
  ///   - address: what to translate.
  ///   - access: what is asked of it; a strategy that judges nothing only reports rights.
  ///   - root: where the walk begins.
  ///   - memory: what holds the tables.
  ///   - strategy: what the walk does besides.
  /// - Returns: the translation, or why there is none.
  /// - Complexity: one load per level.
  @inlinable
  @inline(__always)  // PERF: walk.checked.random; the result stays in registers at the call site.
  public func walk<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, at root: Format.Root,
    in memory: borrowing Memory, _ strategy: inout Strategy
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    let address = format.untagged(address, for: access)
    var table: UInt64
    let top: Level
    switch format.start(address, for: access, at: root) {
    case .table(let base, let level): (table, top) = (base, level)
    case .refused(let cause, let level):
      return .failure(
        .fault(
          format.fault(
            cause, at: level, address, for: access, rights: format.unrestricted, entry: 0)))
    }
    let rootTable = table
    var path = WalkPath<Format.Entry>()
    var attempts = 0
    restart: while true {
      var level = top
      var rights = format.unrestricted
      while true {
        let index = format.index(of: address.rawValue, at: level)
        let entryAddress = table &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
        let entry: Format.Entry
        switch memory.load(Address<Memory.Space>(entryAddress), as: Format.Entry.self) {
        case .success(let value): entry = value
        case .failure(let failure):
          return .failure(.unreadable(failure, entry: entryAddress, level: level))
        }
        let kind = format.kind(of: entry, at: level)
        strategy.read(
          WalkStep(level: level, entryAddress: entryAddress, entry: UInt64(entry), kind: kind))
        if Strategy.marks { path.append(entryAddress, entry) }
        switch kind {
        case .table:
          format.narrow(&rights, by: entry, at: level)
          table = format.table(in: entry, at: level)
          level = level.below
          continue
        case .leaf:
          let tableRights = rights
          format.narrow(&rights, by: entry, at: level)
          if Strategy.judges,
            !format.permits(access, rights: rights, tables: tableRights, leaf: entry)
          {
            return .failure(
              .fault(
                format.fault(
                  .permission, at: level, address, for: access, rights: rights, entry: entry)))
          }
          var leaf = entry
          if Strategy.marks {
            switch path.mark(format, access, from: top, in: memory, leaf: &leaf) {
            case .done: break
            case .lost:
              attempts &+= 1
              if attempts > Self.restartBudget { return .failure(.contended) }
              strategy.restart()
              path.removeAll()
              table = rootTable
              continue restart
            case .unwritable(let failure, let entry, let level):
              return .failure(.unreadable(failure, entry: entry, level: level))
            }
          }
          let page = format.page(in: entry, at: level)
          return .success(
            Translation(
              address: Address(page.base | (address.rawValue & page.size.offsetMask)),
              pageSize: page.size, level: level, rights: rights, tableRights: tableRights,
              leaf: UInt64(leaf)))
        case .notPresent, .reserved:
          // Rights narrow even by the entry that ends the walk: the EPT qualification and
          // `explain` report what it granted.
          format.narrow(&rights, by: entry, at: level)
          return .failure(
            .fault(
              format.fault(
                kind == .notPresent ? .notPresent : .reservedBit, at: level, address, for: access,
                rights: rights, entry: entry)))
        }
      }
    }
  }

  /// Translates one address with a strategy that keeps nothing.
  @inlinable
  @inline(__always)  // PERF: as above.
  public func walk<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, at root: Format.Root,
    in memory: borrowing Memory, _ strategy: Strategy
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    var strategy = strategy
    return walk(address, for: access, at: root, in: memory, &strategy)
  }
}

/// The entries of one walk, kept until the access is judged.
@frozen
@usableFromInline
struct WalkPath<Entry: TableEntry> {
  @usableFromInline var addresses: InlineArray<5, UInt64> = .init(repeating: 0)
  @usableFromInline var entries: InlineArray<5, Entry> = .init(repeating: 0)
  @usableFromInline var count = 0

  @inlinable
  init() {}

  @inlinable
  @inline(__always)
  mutating func append(_ address: UInt64, _ entry: Entry) {
    precondition(count < 5, "a format with more than five levels")
    addresses[count] = address
    entries[count] = entry
    count &+= 1
  }

  @inlinable
  mutating func removeAll() { count = 0 }

  @usableFromInline
  enum Outcome<Failure: Error> {
    case done
    case lost
    case unwritable(Failure, entry: UInt64, level: Level)
  }

  /// Sets A on the way down and D in the leaf, root first, as hardware does.
  @inlinable
  @inline(__always)
  func mark<Format: PagingFormat, Memory: EntryMemory & ~Copyable>(
    _ format: Format, _ access: Format.Access, from top: Level, in memory: borrowing Memory,
    leaf: inout Entry
  ) -> Outcome<Memory.Failure> where Format.Entry == Entry {
    var level = top
    for step in 0..<count {
      let isLeaf = step == count &- 1
      let entry = entries[step]
      let desired = format.marked(entry, at: level, isLeaf: isLeaf, by: access)
      if desired != entry {
        switch memory.compareExchange(
          Address<Memory.Space>(addresses[step]), expected: entry, desired: desired)
        {
        case .success(.stored):
          if isLeaf { leaf = desired }
        case .success(.lost): return .lost
        case .success(.readOnly): break
        case .failure(let failure):
          return .unwritable(failure, entry: addresses[step], level: level)
        }
      }
      level = level.below
    }
    return .done
  }
}
