/// Prints entries and tables of any format, a line each (SPEC P9).
public struct TablePrinter<Format: EnumerablePagingFormat>: Sendable {
  /// The format.
  public let format: Format

  /// A printer for a format.
  public init(_ format: Format) { self.format = format }

  /// An entry: name, value, kind, where it leads, what it grants.
  public func line(for entry: Format.Entry, at level: Level) -> String {
    let head = "\(format.entryName(at: level)) \(hex(UInt64(entry)))"
    var rights = format.unrestricted
    format.narrow(&rights, by: entry, at: level)
    switch format.kind(of: entry, at: level) {
    case .notPresent: return head + " not present"
    case .reserved: return head + " reserved"
    case .table:
      return head + " table \(hex(format.table(in: entry, at: level)))"
        + " \(format.permissions(of: rights))"
    case .leaf:
      let page = format.page(in: entry, at: level)
      return head + " page \(hex(page.base)) \(page.size) \(format.permissions(of: rights))"
    }
  }

  /// Every entry in use of every table below a root, indented by depth.
  ///
  /// - Parameters:
  ///   - root: where the highest table is.
  ///   - memory: where the tables are.
  ///   - budget: the most tables and pages that are printed; a last line says where more
  ///     are left.
  public func tables<Memory: EntryMemory & ~Copyable>(
    root: Format.Root, in memory: borrowing Memory,
    budget: VisitBudget = VisitBudget(tables: 4096, pages: 65_536)
  ) -> [String] {
    var visitor = PrintingVisitor(self)
    var budget = budget
    let outcome = PageTables(format, root: root).walk(in: memory, &visitor, &budget)
    if case .exhausted = outcome { visitor.lines.append("…") }
    return visitor.lines
  }

  /// The entries on the way to one address.
  public func path<Memory: EntryMemory & ~Copyable>(
    to address: Address<Format.Input>, for access: Format.Access, root: Format.Root,
    in memory: borrowing Memory
  ) -> [String] {
    var visitor = PrintingVisitor(self)
    _ = PageTables(format, root: root).drill(address, for: access, in: memory, &visitor)
    return visitor.lines
  }

  fileprivate func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}

/// Collects lines.
private struct PrintingVisitor<Format: EnumerablePagingFormat>: TableVisitor {
  typealias Answer = Never

  let printer: TablePrinter<Format>
  var lines: [String] = []
  private var top: Level?

  init(_ printer: TablePrinter<Format>) { self.printer = printer }

  mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
    if table.entryAddress == nil {
      top = table.level
      lines.append("\(table.input) root table \(printer.hex(table.address))")
    } else {
      add(table.entry, at: table.level.above, table.input)
    }
    return .next
  }

  mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
    add(page.entry, at: page.level, page.input)
    return .next
  }

  mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<Never> {
    add(entry.entry, at: entry.level, entry.input)
    return .next
  }

  mutating func unreadable(
    _ table: TableVisit<Format>, entryAddress: UInt64
  ) -> VisitStep<Never> {
    lines.append("\(table.input) the table at \(printer.hex(table.address)) is in no memory")
    return .next
  }

  private mutating func add(_ entry: UInt64, at level: Level, _ input: Address<Format.Input>) {
    let depth = max((top?.rawValue ?? level.rawValue) - level.rawValue, 0) + 1
    let line = printer.line(for: Format.Entry(truncatingIfNeeded: entry), at: level)
    lines.append(String(repeating: "  ", count: depth) + "\(input) " + line)
  }
}
