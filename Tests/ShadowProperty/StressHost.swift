import MMU
import Machine
import Paging
import Scenario
import TestSupport

/// The host's thread of a stress run: it takes pages away, ages them, logs writes, changes memslots, and
/// writes tables as a debugger does.
struct StressHost {
  private let guest: StressGuest
  private let machine: any ScenarioMachine
  private let histories: CellHistories
  private let extraSlot: Memslot?
  private var random: SeededGenerator
  private var hasExtraSlot = true
  private var isLogging = false

  private(set) var writes: [(cell: StressGuest.Cell, write: CellWrites.Write)] = []
  private(set) var problems: [String] = []

  init(
    seed: UInt64, _ guest: StressGuest, _ machine: any ScenarioMachine, _ histories: CellHistories
  ) {
    self.guest = guest
    self.machine = machine
    self.histories = histories
    random = SeededGenerator(seed: seed << 8 | 0xFF)
    extraSlot = machine.memory.slots.slots.first { $0.base == GPA(GuestWorld.extraSlot).frame }
  }

  /// The next change.
  mutating func next() {
    guard let mmu = machine.maintenance else { return }
    let first = random.flip() ? 0x200 + UInt64(random.below(12)) : 0x100 + UInt64(random.below(32))
    let range = GFN(first)..<GFN(first + 1 + UInt64(random.below(8)))
    do {
      switch random.below(8) {
      case 0: _ = mmu.unmapHost(range) {}
      case 1: _ = mmu.age(range, clearing: random.flip())
      case 2, 3: writeTable()
      case 4: try changeSlots()
      case 5:
        if isLogging {
          try mmu.stopDirtyLog(slot: 0)
        } else {
          try mmu.startDirtyLog(
            slot: 0, .writeProtect, isInitiallySet: random.flip(), usesRings: false, splitBudget: 0)
        }
        isLogging.toggle()
      default:
        if isLogging { _ = try mmu.dirtyPages(ofSlot: 0, clearing: random.flip()) }
      }
    } catch { problems.append("the host: \(error)") }
  }

  /// Puts the slot back that comes and goes, so that the audit finds the machine as it began.
  mutating func finish() {
    if hasExtraSlot { return }
    do { try changeSlots() } catch { problems.append("the host: \(error)") }
  }

  private mutating func changeSlots() throws(MemslotError) {
    guard let slot = extraSlot else { return }
    let isAdding = !hasExtraSlot
    try machine.changeSlots(dropsTranslations: !isAdding) { table throws(MemslotError) in
      isAdding ? try table.adding(slot) : try table.removing(id: slot.id)
    }
    hasExtraSlot.toggle()
  }

  private mutating func writeTable() {
    let (cell, entry) = guest.randomWrite(&random)
    guard let place = guest.places[cell] else { return }
    let start = histories.now
    let isWritten =
      guest.entrySize == 4
      ? exchange(UInt32(truncatingIfNeeded: entry), at: GPA(place))
      : exchange(entry, at: GPA(place))
    guard isWritten else { return problems.append("the host cannot write GPA \(GPA(place))") }
    writes.append((cell, CellWrites.Write(value: entry, start: start, end: histories.now)))
  }

  /// Writes an entry whole, whoever else writes it: bytes one by one would show in between.
  private func exchange<Entry: TableEntry>(_ entry: Entry, at gpa: GPA) -> Bool {
    let view = machine.memory.view
    guard case .success(var old) = view.load(gpa, as: Entry.self) else { return false }
    while true {
      switch view.compareExchange(gpa, expected: old, desired: entry) {
      case .success(.stored): return true
      case .success(.readOnly), .failure: return false
      case .success: break
      }
      guard case .success(let now) = view.load(gpa, as: Entry.self) else { return false }
      old = now
    }
  }
}
