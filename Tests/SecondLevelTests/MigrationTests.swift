import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import TestSupport
import Testing
import X86

/// How written pages are found during a migration.
struct MigrationPlan: Sendable, CustomTestStringConvertible {
  var method: DirtyMethod
  var usesRings: Bool
  var isInitiallySet = false
  var backing = PageSize.size4KiB
  var testDescription: String {
    method.rawValue + (usesRings ? ", rings" : ", bitmap")
      + (isInitiallySet ? ", initially set" : "") + (backing == .size2MiB ? ", 2 MiB" : "")
  }

  static let all = [
    MigrationPlan(method: .writeProtect, usesRings: false),
    MigrationPlan(method: .writeProtect, usesRings: false, backing: .size2MiB),
    MigrationPlan(
      method: .writeProtect, usesRings: false, isInitiallySet: true, backing: .size2MiB),
    MigrationPlan(method: .writeProtect, usesRings: true),
    MigrationPlan(method: .dirtyBit, usesRings: false),
    MigrationPlan(method: .dirtyBit, usesRings: false, backing: .size2MiB),
    MigrationPlan(method: .pageModificationLog, usesRings: false),
    MigrationPlan(method: .pageModificationLog, usesRings: true),
  ]
}

/// Copies a running guest to another machine's memory.
struct Migration: Sendable {
  static let vcpus = 3
  /// The guest's data. **Units** pages.
  let pages: UInt64
  /// Rounds while the guest runs.
  let rounds: Int
  let plan: MigrationPlan
  let bench: EPTBench
  let target: GuestMemory

  init(_ plan: MigrationPlan, pages: UInt64 = 96, rounds: Int = 6) throws {
    self.plan = plan
    self.pages = pages
    self.rounds = rounds
    bench = try EPTBench(
      backing: plan.backing, vcpus: Self.vcpus, pages: pages, ring: plan.usesRings ? 192 : nil)
    target = GuestMemory(host: try HostMemory(byteCount: 64 << 20))
    try target.update { table throws(MemslotError) in try table.adding(.ram) }
  }

  /// The frames that anybody uses: the guest's tables and its data.
  var frames: [UInt64] {
    Array(0x100..<0x108) + Array((EPTBench.gpa >> 12)..<(EPTBench.gpa >> 12 + pages))
  }

  struct Result {
    var lost: [UInt64] = []
    var rounds = 0
    var writes = 0
    var copied = 0
  }

  func copy(_ frame: UInt64) {
    let bytes = bench.rig.memory.view.read(GFN(frame).baseAddress, count: 4096)
    // SAFETY: bytes have no padding.
    _ = unsafe target.view.write(bytes.span.bytes, at: GFN(frame).baseAddress)
  }

  /// Copies what is found dirty now.
  func round() throws -> Int {
    var frames: Set<UInt64> = []
    if plan.usesRings {
      _ = bench.mmu.harvestDirtyRings()
      for entry in bench.mmu.resetDirtyRings() { frames.insert(entry.offset) }
    }
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    for (index, word) in words.enumerated() where word != 0 {
      for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
        frames.insert(UInt64(index) * 64 + bit)
      }
    }
    let used = frames.intersection(self.frames)
    for frame in used { copy(frame) }
    return used.count
  }

  func run(seed: UInt64) throws -> Result {
    let stop = Atomic(false)
    let writes = Atomic(0)
    let failures = Atomic(0)
    let outcome = Mutex(Result())
    // Some pages are mapped and written before the log begins.
    for page in 0..<pages / 2 { bench.access(.write, page: page, value: 1) }
    let (bench, pages) = (bench, pages)
    runThreads(Self.vcpus + 1) { index in
      guard index < Self.vcpus else {
        do {
          try migrate(stop: stop, writes: writes, outcome)
        } catch {
          failures.add(1, ordering: .relaxed)
        }
        stop.store(true, ordering: .releasing)
        return
      }
      var random = SeededGenerator(seed: seed << 8 | UInt64(index))
      var value: UInt128 = UInt128(index) << 56
      while !stop.load(ordering: .acquiring) {
        value += 1
        // Few pages are hot, as in real guests.
        let page = random.flip() ? random.next() % 8 : random.next() % pages
        let gva = EPTBench.base + page << 12 + random.next() % 512 * 8
        let kind: AccessKind = random.oneIn(4) ? .read : .write
        let report = bench.rig.access(kind, gva, value: value, vcpu: index)
        switch report.outcome {
        case .done: if kind == .write { writes.add(1, ordering: .relaxed) }
        case .failed(.dirtyRingFull): Thread.sleep(forTimeInterval: 0)
        default: failures.add(1, ordering: .relaxed)
        }
      }
    }
    #expect(failures.load(ordering: .relaxed) == 0, "seed \(seed)")
    // The guest is stopped: the last round.
    var result = outcome.withLock { $0 }
    result.copied += try round()
    result.rounds += 1
    result.writes = writes.load(ordering: .relaxed)
    for frame in frames {
      let gpa = GFN(frame).baseAddress
      if bench.rig.memory.view.read(gpa, count: 4096) != target.view.read(gpa, count: 4096) {
        result.lost.append(frame)
      }
    }
    #expect(bench.mmu.audit() == [], "seed \(seed)")
    return result
  }

  private func migrate(
    stop: borrowing Atomic<Bool>, writes: borrowing Atomic<Int>, _ outcome: borrowing Mutex<Result>
  ) throws {
    try bench.mmu.startDirtyLog(
      slot: 0, plan.method, isInitiallySet: plan.isInitiallySet, usesRings: plan.usesRings)
    if !plan.isInitiallySet { for frame in frames { copy(frame) } }
    for _ in 0..<rounds {
      // A round without a write proves nothing.
      let before = writes.load(ordering: .relaxed)
      var turns = 0
      while writes.load(ordering: .relaxed) < before + 40, turns < 400 {
        Thread.sleep(forTimeInterval: 0.0002)
        turns += 1
        if plan.usesRings, turns % 8 == 7 { break }
      }
      let copied = try round()
      outcome.withLock {
        $0.copied += copied
        $0.rounds += 1
      }
    }
  }
}

@Suite("Live migration", .serialized)
struct MigrationTests {
  @Test(
    "T3 a guest copied while it writes ends byte-equal, no write lost", .timeLimit(.minutes(45)),
    arguments: MigrationPlan.all)
  func migrate(plan: MigrationPlan) throws {
    let first = UInt64(setting("MMU_FIRST_SEED", default: 1))
    let count = UInt64(setting("MMU_SEEDS", default: 3))
    for seed in first..<(first + count) {
      let result = try Migration(plan).run(seed: seed)
      #expect(result.lost == [], "seed \(seed): pages differ")
      #expect(result.writes > 0, "seed \(seed): nothing was written meanwhile")
      print(
        "migration \(plan.testDescription), seed \(seed): \(result.rounds) rounds,"
          + " \(result.copied) pages copied, \(result.writes) writes, \(result.lost.count) lost")
    }
  }

  @Test(
    "T3 over many seeded runs of small guests no write is lost", .timeLimit(.minutes(45)),
    arguments: MigrationPlan.all)
  func migrateOften(plan: MigrationPlan) throws {
    let runs = setting("MMU_MIGRATIONS", default: 160) / MigrationPlan.all.count
    var total = Migration.Result()
    for seed in 0..<UInt64(runs) {
      let result = try Migration(plan, pages: 24, rounds: 3).run(seed: 1000 + seed)
      #expect(result.lost == [], "seed \(1000 + seed): pages differ")
      total.lost += result.lost
      total.rounds += result.rounds
      total.copied += result.copied
      total.writes += result.writes
    }
    #expect(total.writes > runs * 40)
    print(
      "migration \(plan.testDescription), \(runs) runs: \(total.rounds) rounds,"
        + " \(total.copied) pages copied, \(total.writes) writes,"
        + " \(total.lost.count) lost")
  }
}
