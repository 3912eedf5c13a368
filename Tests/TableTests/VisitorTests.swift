import Paging
import TestSupport
import Testing
import X86
import X86Long

@Suite("Tables visited")
struct VisitorTests {
  /// Notes everything, and stops where it is told to.
  private struct Notes<Format: PagingFormat>: TableVisitor {
    var tables: [(level: Int, input: UInt64, entry: UInt64?)] = []
    var left = 0
    var pages: [(input: UInt64, base: UInt64, permissions: Permissions)] = []
    var reserved = 0
    var unreadable: [UInt64] = []
    var stopsAt: UInt64?
    var skipsLevel: Int?
    let format: Format

    mutating func enter(_ table: TableVisit<Format>) -> VisitStep<String> {
      tables.append((table.level.rawValue, table.input.rawValue, table.entryAddress))
      return table.level.rawValue == skipsLevel ? .skip : .next
    }
    mutating func leave(_ table: TableVisit<Format>) { left += 1 }
    mutating func page(_ page: PageVisit<Format>) -> VisitStep<String> {
      if page.input.rawValue == stopsAt { return .stop("found") }
      pages.append(
        (page.input.rawValue, page.page.base, format.permissions(of: page.rights)))
      return .next
    }
    mutating func reserved(_ entry: PageVisit<Format>) -> VisitStep<String> {
      reserved += 1
      return .next
    }
    mutating func unreadable(
      _ table: TableVisit<Format>, entryAddress: UInt64
    ) -> VisitStep<String> {
      unreadable.append(entryAddress)
      return .next
    }
  }

  private static var long4: Long4 {
    Long4(
      X86Registers(
        cr0: [.protectionEnable, .paging], cr4: [.physicalAddressExtension],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable]),
      X86Features(physicalAddressWidth: 40))
  }

  /// PML4 1000 → PDPT 2000 → PD 3000 → PT 4000; the upper half through the same PDPT without W.
  private static func memory() -> GuestTestMemory {
    let memory = GuestTestMemory()
    memory.poke(0x1000, UInt64(0x2027))
    memory.poke(0x1000 + 511 * 8, UInt64(0x2025))
    memory.poke(0x2000 + 8, UInt64(0x3027))
    memory.poke(0x3000, UInt64(0x4027))
    memory.poke(0x3008, UInt64(0x20_00E7))
    memory.poke(0x4000 + 3 * 8, UInt64(0x9067))
    memory.poke(0x4000 + 4 * 8, UInt64(1 << 45 | 1))
    return memory
  }

  @Test("P6 every table and page is visited in address order, rights folded, addresses canonical")
  func visitIsOrdered() {
    let memory = Self.memory()
    let tables = PageTables(Self.long4, root: TableRoot(0x1000))
    var notes = Notes(format: tables.format)
    var budget = VisitBudget()
    guard case .finished = tables.walk(in: memory, &notes, &budget) else {
      Issue.record("not finished")
      return
    }
    #expect(notes.tables.map(\.level) == [4, 3, 2, 1, 3, 2, 1])
    #expect(notes.tables.map(\.entry) == [nil, 0x1000, 0x2008, 0x3000, 0x1FF8, 0x2008, 0x3000])
    #expect(notes.left == 7)
    let high: UInt64 = 0xFFFF_FF80_0000_0000
    #expect(
      notes.pages.map(\.input) == [
        0x4000_3000, 0x4020_0000, high + 0x4000_3000, high + 0x4020_0000,
      ])
    #expect(notes.pages.map(\.base) == [0x9000, 0x20_0000, 0x9000, 0x20_0000])
    #expect(notes.pages.map { $0.permissions.contains(.write) } == [true, true, false, false])
    #expect(notes.reserved == 2)
    #expect(budget.tables == VisitBudget().tables - 7)
  }

  @Test("P6 a visitor skips a table, or ends the visit with a value")
  func visitorsSkipAndStop() {
    let memory = Self.memory()
    let tables = PageTables(Self.long4, root: TableRoot(0x1000))
    var skipping = Notes(skipsLevel: 1, format: tables.format)
    var budget = VisitBudget()
    _ = tables.walk(in: memory, &skipping, &budget)
    #expect(skipping.pages.map(\.base) == [0x20_0000, 0x20_0000])
    var stopping = Notes(stopsAt: 0x4020_0000, format: tables.format)
    guard case .stopped("found") = tables.walk(in: memory, &stopping, &budget) else {
      Issue.record("not stopped")
      return
    }
    #expect(stopping.pages.count == 1)
  }

  @Test("P5 drilling visits the tables on the way to one address, then its page")
  func drillFollowsOneAddress() {
    let memory = Self.memory()
    let tables = PageTables(Self.long4, root: TableRoot(0x1000))
    var notes = Notes(format: tables.format)
    _ = tables.drill(GVA(0xFFFF_FF80_4000_3123), for: .read, in: memory, &notes)
    #expect(notes.tables.map(\.level) == [4, 3, 2, 1])
    #expect(notes.tables.last?.input == 0xFFFF_FF80_4000_0000)
    #expect(notes.pages.map(\.input) == [0xFFFF_FF80_4000_3000])
    var outside = Notes(format: tables.format)
    _ = tables.drill(GVA(1 << 47), for: .read, in: memory, &outside)
    #expect(outside.tables.isEmpty)
  }

  @Test("W14 a table outside the memory is told once and the visit goes on")
  func unreadableTablesAreTold() {
    let memory = Self.memory()
    memory.poke(0x3000 + 16, UInt64(0x7_7027))
    let tables = PageTables(Self.long4, root: TableRoot(0x1000))
    var notes = Notes(format: tables.format)
    var budget = VisitBudget()
    _ = tables.walk(in: memory, &notes, &budget)
    #expect(notes.unreadable == [0x7_7000, 0x7_7000])
    #expect(notes.pages.count == 4)
  }

  @Test("tables that hold themselves use up the budget and no more")
  func recursionIsBounded() {
    let memory = GuestTestMemory()
    for index in 0..<512 { memory.poke(0x1000 + UInt64(index * 8), UInt64(0x1027)) }
    let tables = PageTables(Self.long4, root: TableRoot(0x1000))
    var notes = Notes(format: tables.format)
    var budget = VisitBudget(tables: 50, pages: .max)
    guard case .exhausted = tables.walk(in: memory, &notes, &budget) else {
      Issue.record("not exhausted")
      return
    }
    #expect(budget.tables == 0)
    #expect(notes.tables.count == 51)
  }
}
