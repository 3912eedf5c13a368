import Foundation
import Paging
import TestSupport
import Testing
import X86
import X86Long

/// Runs what `docs/palacios.md` shows, for every format.
@Suite("Palacios' operations")
struct PalaciosTests {
  private struct Counter<Format: PagingFormat>: TableVisitor {
    var tables = 0
    var pages = 0

    mutating func enter(_ table: TableVisit<Format>) -> VisitStep<Never> {
      tables += 1
      return .next
    }
    mutating func page(_ page: PageVisit<Format>) -> VisitStep<Never> {
      pages += 1
      return .next
    }
  }

  private struct Calls: FormatTest {
    func run<Format: BuildablePagingFormat>(
      _ format: Format, access: Format.Access, largePage: PageSize
    ) throws {
      let pages = TablePages<GuestPhysical>(64)
      let memory = pages.memory
      let take = pages.take
      let give = pages.give
      let layout = [MemoryRange(start: 0, length: 0x4000)]
      let editor = try PageTableEditor.identity(
        format, over: layout, permissions: .all, for: access, in: memory, takeTable: take,
        giveTable: give)
      let root = editor.root
      let tables = PageTables(format, root: root)
      let address = Address<Format.Input>(0x40_0000)
      let page = GPA(0x1000)

      try editor.map(
        address, to: page, length: 0x3000, pageSize: .size4KiB, permissions: .all, for: access,
        in: memory, takeTable: take, giveTable: give)
      let found = try tables.translate(address, for: access, in: memory).get()
      #expect(found.address == page)
      let directory = tables.table(at: .directory, covering: address, for: access, in: memory)
      #expect(directory != nil)
      let entry = Format.Entry(truncatingIfNeeded: found.leaf)
      #expect(tables.check(entry, at: .pageTable, .write, isUser: true) == .ok)
      #expect(tables.check(0, at: .pageTable, .write, isUser: true) == .notPresent)
      #expect(tables.check(address, .write, isUser: true, for: access, in: memory) == .ok)
      #expect(tables.dataPageSize(at: address, for: access, in: memory) == .size4KiB)
      #expect(PageSize.size2MiB.description == "2 MiB")

      var visitor = Counter<Format>()
      _ = tables.drill(address, for: access, in: memory, &visitor)
      #expect(visitor.pages == 1 && visitor.tables >= 2)
      visitor = Counter<Format>()
      var budget = VisitBudget()
      _ = tables.walk(in: memory, &visitor, &budget)
      #expect(visitor.pages == 7)

      let line = TablePrinter(format).line(for: entry, at: .pageTable)
      #expect(line.contains("page 0x1000 4 KiB urwx"))
      #expect(TablePrinter(format).tables(root: root, in: memory).count >= visitor.tables + 7)
      let path = TablePrinter(format).path(to: address, for: access, root: root, in: memory)
      #expect(path.last?.hasSuffix(line) == true)

      let directoryShift = Int(largePage.shift)
      #expect(
        format.index(of: address.rawValue, at: .directory) == address.rawValue >> directoryShift)
      #expect(address.roundedDown(to: .size2MiB) == address)
      #expect(address.offset(in: .size2MiB) == 0)
      #expect(address.roundedUp(to: .size2MiB) == address)
      #expect(PageSize.size2MiB.shift == 21 && PageSize.size2MiB.bytes == 0x20_0000)
      #expect(format.kind(of: entry, at: .pageTable) == .leaf)
      #expect(format.kind(of: 0, at: .directory) == .notPresent)
      #expect(format.kind(of: entry, at: .directory) != .notPresent)

      try editor.protect(
        address, length: 0x1000, permissions: [.read], for: access, in: memory, takeTable: take,
        giveTable: give)
      #expect(tables.check(address, .write, isUser: false, for: access, in: memory) == .writeError)
      try editor.split(
        address, length: 0x1000, to: .size4KiB, for: access, in: memory, takeTable: take,
        giveTable: give)
      try editor.unmap(
        address, length: 0x1000, for: access, in: memory, takeTable: take, giveTable: give)
      #expect(tables.check(address, .read, isUser: false, for: access, in: memory) == .notPresent)
      #expect(editor.free(in: memory, giveTable: give))
      #expect(pages.inUse.isEmpty && pages.mistakes.isEmpty)
    }
  }

  @Test("P1–P11 every call of the table works in every format", arguments: ModeCase.allCases)
  func everyCallWorks(mode: ModeCase) throws { try mode.run(Calls()) }

  @Test("P12 CR3 gives the table's address without its flags")
  func cr3GivesTable() {
    let cr3: UInt64 = 0x1234_5018
    let registers = X86Registers(
      cr0: [.protectionEnable, .paging], cr4: [.physicalAddressExtension],
      efer: [.longModeEnable, .longModeActive])
    let long4 = Long4(registers, X86Features())
    #expect(long4.root(cr3: cr3).address == 0x1234_5000)
  }

  @Test("the document shows the calls that are tested here, but for line breaks")
  func documentIsCompiled() throws {
    let root = SharedFiles.packageRoot
    let text = try String(contentsOfFile: root + "/docs/palacios.md", encoding: .utf8)
    let source = try String(
      contentsOfFile: root + "/Tests/TableTests/PalaciosTests.swift", encoding: .utf8
    ).filter { !$0.isWhitespace }
    var calls = 0
    for row in text.split(separator: "\n") where row.hasPrefix("|") && row.contains("`") {
      let cell = row.split(separator: "|").last ?? ""
      for (index, part) in cell.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      where index % 2 == 1 {
        calls += 1
        #expect(source.contains(part.filter { !$0.isWhitespace }), "\(part)")
      }
    }
    #expect(calls == 25, "\(calls)")
  }
}
