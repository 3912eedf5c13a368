import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import TestSupport
import Testing
import X86
import X86EPT
import X86NPT

/// vCPU threads against everything that changes tables; every value is written once, so that what the
/// guests saw of each 8-byte cell can be judged: some order of all accesses has to explain it.
@Suite("Stress", .serialized)
struct StressTests {
  static let vcpus = 3
  static let pages: UInt64 = 64
  static let cells: UInt64 = 8

  /// What one vCPU found wrong.
  final class Findings: Sendable {
    let lines = Mutex<[String]>([])
    func add(_ line: String) { lines.withLock { if $0.count < 20 { $0.append(line) } } }
  }

  static func guest<Encoder>(
    _ bench: TDPBench<Encoder>, vcpu: Int, seed: UInt64, rounds: Int, _ histories: CellHistories,
    _ findings: Findings, isDone: () -> Bool
  ) {
    var random = SeededGenerator(seed: seed << 8 | UInt64(vcpu))
    var operations: [(cell: UInt64, operation: RegisterHistory.Operation)] = []
    var value = UInt64(vcpu + 1) << 40
    for round in 0..<(rounds * 40) {
      // At least so many accesses, and until enough has changed under them.
      if round >= rounds, isDone() { break }
      // Few cells are hot, so that vCPUs meet in them.
      let page = random.flip() ? random.next() % 4 : random.next() % pages
      let cell = random.next() % cells
      let gva = TDPBench<Encoder>.base + page << 12 + cell * 8
      let isWrite = random.flip()
      if isWrite { value += 1 }
      let start = histories.now
      let kind: AccessKind = isWrite ? .write : .read
      var report = bench.rig.access(kind, gva, value: UInt128(value), vcpu: vcpu)
      var tries = 0
      while case .failed(let error) = report.outcome, tries < 1000 {
        // The host holds the page, or the ring is full: the vCPU comes back.
        switch error {
        case .dirtyRingFull, .livelock: Thread.sleep(forTimeInterval: 0)
        default: tries = 1000
        }
        tries += 1
        report = bench.rig.access(kind, gva, value: UInt128(value), vcpu: vcpu)
      }
      guard let found = report.value else {
        findings.add("seed \(seed) vCPU \(vcpu) page \(page) cell \(cell): \(report.outcome)")
        continue
      }
      operations.append(
        (
          page << 16 | cell,
          RegisterHistory.Operation(
            isWrite: isWrite, value: UInt64(truncatingIfNeeded: found), start: start,
            end: histories.now)
        ))
    }
    histories.add(operations)
  }

  /// One change of the tables, chosen at random.
  static func disturb<Encoder>(
    _ bench: TDPBench<Encoder>, _ random: inout SeededGenerator, _ isLogging: inout Bool,
    _ findings: Findings
  ) throws {
    let mmu = bench.mmu
    let first = random.next() % pages
    let range = bench.frames(first..<(first + 1 + random.next() % 16))
    switch random.below(12) {
    case 0: mmu.zap(range)
    case 1: mmu.zap(bench.frames(0..<512))
    case 2: mmu.age(range, clearing: true)
    case 3:
      // While the host holds the page nobody reads what it scribbles there, or writes over it.
      let gpa = range.lowerBound.baseAddress
      let view = bench.rig.memory.host.view
      guard let place = bench.rig.memory.hpa(of: gpa) else { return }
      mmu.unmapHost(range) {
        guard let bytes = view.read(place, count: 4096) else { return }
        let scribble = bytes.map { ~$0 }
        // SAFETY: bytes have no padding.
        _ = unsafe view.write(scribble.span.bytes, at: place)
        // Long enough for a vCPU that still held the page to use it.
        Thread.sleep(forTimeInterval: 0.001)
        if view.read(place, count: 4096) != scribble {
          findings.add("frame \(range.lowerBound) was written while the host held it")
        }
        // SAFETY: as above.
        _ = unsafe view.write(bytes.span.bytes, at: place)
      }
    case 4, 5, 6:
      guard isLogging else { return }
      _ = try mmu.dirtyPages(ofSlot: 0, clearing: random.flip())
    case 7:
      if isLogging {
        try mmu.stopDirtyLog(slot: 0)
      } else {
        let method = random.pick(
          mmu.encoder.layout.masks.dirty == 0 ? [.writeProtect] : DirtyMethod.allCases)
        try mmu.startDirtyLog(
          slot: 0, method, isInitiallySet: random.flip(), splitBudget: random.below(3))
      }
      isLogging.toggle()
    case 8: mmu.invalidateAll()
    case 9: _ = mmu.splitLargePages(in: bench.frames(0..<512), budget: 1)
    case 10: _ = mmu.collapse(in: bench.frames(0..<512))
    default:
      let extra = Memslot(id: 7, base: GFN(0x8000), frameCount: 8, host: HPA(40 << 20))
      try mmu.updateSlots(dropping: extra.base..<extra.end) { table throws(MemslotError) in
        table[id: 7] == nil ? try table.adding(extra) : try table.removing(id: 7)
      }
    }
  }

  struct Shape: Sendable, CustomTestStringConvertible {
    /// `nil` for NPT.
    var accessedDirty: Bool?
    var backing: PageSize
    var testDescription: String {
      (accessedDirty.map { "EPT, A/D \($0 ? "on" : "off")" } ?? "NPT") + ", \(backing)"
    }
  }

  @Test(
    "T1 T3 T4 T5 T8 an order explains what vCPUs see while tables change under them",
    .timeLimit(.minutes(45)),
    arguments: [true, false, nil].flatMap { accessedDirty in
      [PageSize.size4KiB, .size2MiB].map { Shape(accessedDirty: accessedDirty, backing: $0) }
    })
  func stress(shape: Shape) throws {
    let first = UInt64(setting("MMU_FIRST_SEED", default: 1))
    let count = UInt64(setting("MMU_SEEDS", default: 2))
    for seed in first..<(first + count) {
      if let accessedDirty = shape.accessedDirty {
        let bench = try EPTBench(
          accessedDirty: accessedDirty, backing: shape.backing, vcpus: Self.vcpus,
          pages: Self.pages)
        try Self.stress(bench, shape, seed: seed)
      } else {
        let encoder = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 44))
        let rig = try TDPRig(encoder, backing: shape.backing, vcpus: Self.vcpus)
        try Self.stress(TDPBench(rig, pages: Self.pages), shape, seed: seed)
      }
    }
  }

  static func stress<Encoder>(
    _ bench: TDPBench<Encoder>, _ shape: Shape, seed: UInt64
  ) throws {
    let rounds = setting("MMU_STRESS_ROUNDS", default: 1500)
    let findings = Findings()
    let histories = CellHistories()
    let running = Atomic(vcpus)
    let changes = Atomic(0)
    runThreads(vcpus + 1) { index in
      if index < vcpus {
        guest(bench, vcpu: index, seed: seed, rounds: rounds, histories, findings) {
          changes.load(ordering: .relaxed) >= 200
        }
        running.subtract(1, ordering: .acquiringAndReleasing)
        return
      }
      var random = SeededGenerator(seed: seed << 8 | 0xFF)
      var isLogging = false
      while running.load(ordering: .acquiring) > 0 {
        do {
          try disturb(bench, &random, &isLogging, findings)
          changes.add(1, ordering: .relaxed)
        } catch {
          findings.add("seed \(seed): \(error)")
        }
      }
    }
    #expect(findings.lines.withLock { $0 } == [])
    #expect(bench.mmu.audit() == [], "seed \(seed)")
    let (operations, breaches) = histories.judge { "page \($0 >> 16) cell \($0 & 0xFFFF)" }
    #expect(breaches == [], "seed \(seed)")
    #expect(operations >= vcpus * rounds, "seed \(seed)")
    let made = changes.load(ordering: .relaxed)
    #expect(made > 0, "seed \(seed): nothing was disturbed")
    print(
      "stress \(shape.testDescription), seed \(seed): \(operations) accesses, \(made) changes,"
        + " exits \(bench.rig.machine.vcpus.map { $0.exits.total })")
  }
}
