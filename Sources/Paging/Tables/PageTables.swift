/// The tables of one address space, to be visited.
@frozen
public struct PageTables<Format: EnumerablePagingFormat>: Sendable {
  /// The format.
  public let format: Format
  /// Where walks begin.
  public let root: Format.Root

  /// The tables below a root.
  @inlinable
  public init(_ format: Format, root: Format.Root) {
    self.format = format
    self.root = root
  }

  /// The tables that the root names, as visits.
  @inlinable
  public var roots: [TableVisit<Format>] {
    let tables = format.rootTables(of: root)
    return (0..<tables.count).map { index in
      let table = tables[index]
      return TableVisit(
        level: table.level, input: format.extended(table.input), address: table.address,
        entryAddress: nil, entry: 0, rights: format.unrestricted)
    }
  }

  /// Visits every table and page in address order (SPEC P6).
  ///
  /// - Complexity: bounded by the budget, whatever the tables hold.
  @inlinable
  public func walk<Memory: EntryMemory & ~Copyable, Visitor: TableVisitor>(
    in memory: borrowing Memory, _ visitor: inout Visitor, _ budget: inout VisitBudget
  ) -> VisitOutcome<Visitor.Answer> where Visitor.Format == Format {
    for root in roots {
      switch walk(root, in: memory, &visitor, &budget) {
      case .finished: continue
      case let outcome: return outcome
      }
    }
    return .finished
  }

  /// Visits one table and all below it.
  @inlinable
  public func walk<Memory: EntryMemory & ~Copyable, Visitor: TableVisitor>(
    _ table: TableVisit<Format>, in memory: borrowing Memory, _ visitor: inout Visitor,
    _ budget: inout VisitBudget
  ) -> VisitOutcome<Visitor.Answer> where Visitor.Format == Format {
    switch visitor.enter(table) {
    case .next: break
    case .skip: return .finished
    case .stop(let answer): return .stopped(answer)
    }
    guard budget.tables > 0 else { return .exhausted }
    budget.tables &-= 1
    let shape = format.shape(at: table.level)
    var isReadable = true
    for index in 0..<shape.count {
      let place = table.address &+ UInt64(index &* MemoryLayout<Format.Entry>.size)
      guard case .success(let entry) = memory.load(Address(place), as: Format.Entry.self) else {
        if isReadable, case .stop(let answer) = visitor.unreadable(table, entryAddress: place) {
          return .stopped(answer)
        }
        isReadable = false
        continue
      }
      // PERF: image.map; most entries of most tables are empty.
      if entry == 0 { continue }
      let outcome = visit(
        entry, at: place, of: table, input: UInt64(index) &<< UInt64(shape.entryShift), in: memory,
        &visitor, &budget)
      guard case .finished = outcome else { return outcome }
    }
    visitor.leave(table)
    return .finished
  }

  @inlinable
  func visit<Memory: EntryMemory & ~Copyable, Visitor: TableVisitor>(
    _ entry: Format.Entry, at place: UInt64, of table: TableVisit<Format>, input: UInt64,
    in memory: borrowing Memory, _ visitor: inout Visitor, _ budget: inout VisitBudget
  ) -> VisitOutcome<Visitor.Answer> where Visitor.Format == Format {
    let kind = format.kind(of: entry, at: table.level)
    if kind == .notPresent { return .finished }
    let input = format.extended(table.input.rawValue | input)
    var rights = table.rights
    format.narrow(&rights, by: entry, at: table.level)
    if kind == .table {
      guard table.level > .pageTable else { return .finished }
      return walk(
        TableVisit(
          level: table.level.below, input: input,
          address: format.table(in: entry, at: table.level), entryAddress: place,
          entry: UInt64(entry), rights: rights), in: memory, &visitor, &budget)
    }
    let visit = PageVisit<Format>(
      level: table.level, input: input, entryAddress: place, entry: UInt64(entry),
      page: format.page(in: entry, at: table.level), rights: rights)
    let step: VisitStep<Visitor.Answer>
    if kind == .leaf {
      guard budget.pages > 0 else { return .exhausted }
      budget.pages &-= 1
      step = visitor.page(visit)
    } else {
      step = visitor.reserved(visit)
    }
    if case .stop(let answer) = step { return .stopped(answer) }
    return .finished
  }

  /// Visits the tables on the way to one address and what its walk ends at (SPEC P5).
  ///
  /// An address that the walk refuses (not canonical, a PDPTE register that is not present) has no
  /// tables on its way.
  @inlinable
  public func drill<Memory: EntryMemory & ~Copyable, Visitor: TableVisitor>(
    _ address: Address<Format.Input>, for access: Format.Access, in memory: borrowing Memory,
    _ visitor: inout Visitor
  ) -> VisitOutcome<Visitor.Answer> where Visitor.Format == Format {
    let address = format.untagged(address, for: access)
    guard case .table(let base, let top) = format.start(address, for: access, at: root) else {
      return .finished
    }
    let size = format.shape(at: top).size
    var table = TableVisit<Format>(
      level: top, input: address.roundedDown(to: size), address: base, entryAddress: nil,
      entry: 0, rights: format.unrestricted)
    var budget = VisitBudget(tables: 0, pages: 1)
    while true {
      switch visitor.enter(table) {
      case .next: break
      case .skip: return .finished
      case .stop(let answer): return .stopped(answer)
      }
      let index = format.index(of: address.rawValue, at: table.level)
      let place = table.address &+ index &* UInt64(MemoryLayout<Format.Entry>.size)
      guard case .success(let entry) = memory.load(Address(place), as: Format.Entry.self) else {
        if case .stop(let answer) = visitor.unreadable(table, entryAddress: place) {
          return .stopped(answer)
        }
        return .finished
      }
      let shift = UInt64(format.shape(at: table.level).entryShift)
      guard format.kind(of: entry, at: table.level) == .table, table.level > .pageTable else {
        return visit(
          entry, at: place, of: table, input: index &<< shift, in: memory, &visitor, &budget)
      }
      var rights = table.rights
      format.narrow(&rights, by: entry, at: table.level)
      table = TableVisit(
        level: table.level.below,
        input: format.extended(table.input.rawValue | index &<< shift),
        address: format.table(in: entry, at: table.level), entryAddress: place,
        entry: UInt64(entry), rights: rights)
    }
  }
}
