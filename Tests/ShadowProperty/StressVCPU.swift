import MMU
import Machine
import Paging
import Scenario
import TestSupport
import X86

/// One vCPU's thread of a stress run: what it does, and what it saw.
struct StressVCPU {
  private let index: Int
  private let guest: StressGuest
  private let machine: any ScenarioMachine
  private let histories: CellHistories
  private var random: SeededGenerator
  private var value: UInt64
  private var root = 0
  /// When the vCPU last began to invalidate everything, and each page.
  private var flushed: UInt64 = 0
  private var invalidated: [UInt64: UInt64] = [:]

  private(set) var accesses: [StressAccess] = []
  private(set) var writes: [(cell: StressGuest.Cell, write: CellWrites.Write)] = []
  private(set) var data: [(cell: UInt64, operation: RegisterHistory.Operation)] = []
  private(set) var problems: [String] = []

  init(
    _ index: Int, seed: UInt64, _ guest: StressGuest, _ machine: any ScenarioMachine,
    _ histories: CellHistories
  ) {
    self.index = index
    self.guest = guest
    self.machine = machine
    self.histories = histories
    random = SeededGenerator(seed: seed << 8 | UInt64(index))
    value = UInt64(index + 1) << 40
  }

  /// The next operation.
  mutating func next() {
    let page = random.next() % StressGuest.pages
    let range = random.oneIn(4) ? 1 : 0
    switch random.below(100) {
    case 0..<18: writeTable()
    case 18..<32:
      let gva = guest.gva(range, page)
      let start = histories.now
      machine.invalidatePage(index, GVA(gva))
      invalidated[gva] = start
    case 32..<35:
      let next = random.below(2)
      let start = histories.now
      guard (try? machine.setRegister(index, .cr3, guest.roots[next])) != nil else {
        return problems.append("vCPU \(index): CR3 is refused")
      }
      (root, flushed) = (next, start)
    default: access(range, page)
    }
  }

  private mutating func writeTable() {
    let (cell, entry) = guest.randomWrite(&random)
    let start = histories.now
    let report = machine.access(
      index, X86Access(.write), at: GVA(guest.gva(of: cell)), size: guest.entrySize,
      value: UInt128(entry))
    guard case .done = report.outcome else {
      return problems.append("vCPU \(index): a table write ends as \(report.outcome)")
    }
    writes.append((cell, CellWrites.Write(value: entry, start: start, end: histories.now)))
  }

  private mutating func access(_ range: Int, _ page: UInt64) {
    let base = guest.gva(range, page)
    let kind = random.pick([AccessKind.read, .read, .write, .write, .fetch])
    let isUser = random.flip()
    let offset = UInt64(random.below(4)) * 8
    if kind == .write { value += 1 }
    let start = histories.now
    let report = machine.access(
      index, X86Access(kind, user: isUser), at: GVA(base + offset), size: 8, value: UInt128(value))
    let end = histories.now
    let outcome: StressAccess.Outcome
    switch report.outcome {
    case .done(let found):
      guard let gpa = report.gpa else {
        return problems.append("vCPU \(index): an access went to no GPA")
      }
      outcome = .done(gpa.rawValue & ~0xFFF)
      if report.mmio == nil {
        data.append(
          (
            gpa.rawValue,
            RegisterHistory.Operation(
              isWrite: kind == .write, value: UInt64(truncatingIfNeeded: found), start: start,
              end: end)
          ))
      }
    case .injected(14, let code): outcome = .fault(code)
    case .fault(let fault) where fault.vector == 14: outcome = .fault(fault.errorCode.rawValue)
    default: return problems.append("vCPU \(index): an access ends as \(report.outcome)")
    }
    accesses.append(
      StressAccess(
        vcpu: index, root: root, range: range, page: page, kind: kind, isUser: isUser,
        since: max(flushed, invalidated[base] ?? 0), end: end, outcome: outcome))
  }
}
