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
    walk(address, for: access, at: root, in: memory, &strategy, racesLost: 0)
  }

  /// Walks from the root after a race was lost.
  @inlinable
  @inline(never)  // PERF: walk.checked.sequential; a loop around the walk spills its parts.
  func walkAgain<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ address: Address<Format.Input>, for access: Format.Access, at root: Format.Root,
    in memory: borrowing Memory, _ strategy: inout Strategy, racesLost: Int
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    if racesLost > Self.restartBudget { return .failure(.contended) }
    strategy.restart()
    return walk(address, for: access, at: root, in: memory, &strategy, racesLost: racesLost)
  }

  @inlinable
  @inline(__always)
  func walk<Memory: EntryMemory & ~Copyable, Strategy: WalkStrategy>(
    _ given: Address<Format.Input>, for access: Format.Access, at root: Format.Root,
    in memory: borrowing Memory, _ strategy: inout Strategy, racesLost: Int
  ) -> Result<
    Translation<Memory.Space, Format.Rights>, WalkFailure<Format.Fault, Memory.Failure>
  > {
    let address = format.untagged(given, for: access)
    var table: UInt64
    let top: Level
    switch format.start(address, for: access, at: root) {
    case .table(let base, let level): (table, top) = (base, level)
    case .refused(let cause, let level):
      return .failure(
        refusal(cause, at: level, address, for: access, rights: format.unrestricted, entry: 0))
    }
    let rootTable = table
    var path = WalkPath<Format.Entry>()
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
      let tableRights = rights
      format.narrow(&rights, by: entry, at: level)
      if kind == .table {
        if Strategy.marks { path[level] = entry }
        table = format.table(in: entry, at: level)
        level = level.below
        continue
      }
      // Rights narrow even by the entry that ends the walk: the EPT qualification and `explain`
      // report what it granted.
      guard kind == .leaf else {
        return .failure(
          refusal(
            kind == .notPresent ? .notPresent : .reservedBit, at: level, address, for: access,
            rights: rights, entry: entry))
      }
      if Strategy.judges,
        !format.permits(access, rights: rights, tables: tableRights, leaf: entry)
      {
        return .failure(
          refusal(.permission, at: level, address, for: access, rights: rights, entry: entry))
      }
      var leaf = entry
      // PERF: walk.checked.random; one test for the usual walk, whose bits are set already.
      if Strategy.marks, format.mayBeUnmarked(rights, leaf: entry, by: access) {
        switch mark(
          path, leaf: entry, at: level, from: top, rootTable, address, access, in: memory)
        {
        case .done(let marked): leaf = marked
        case .lost:
          return walkAgain(
            given, for: access, at: root, in: memory, &strategy, racesLost: racesLost &+ 1)
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
