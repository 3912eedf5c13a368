import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import TestSupport
import Testing
import X86
import X86EPT
import X86Guest

/// What a guest and its host do, drawn from a seed.
struct RandomRun {
  static let pages: UInt64 = 24
  private var random: SeededGenerator
  /// The slot of one page that comes and goes.
  static let extra = Memslot(id: 7, base: GFN(0x9000), frameCount: 4, host: HPA(40 << 20))

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  /// Does a number of things.
  ///
  /// - Returns: how each ended, in words.
  mutating func play(_ count: Int, on bench: EPTBench, countingExits: Bool) -> [String] {
    (0..<count).map { _ in step(on: bench, countingExits) }
  }

  private mutating func step(on bench: EPTBench, _ countingExits: Bool) -> String {
    let page = random.next() % Self.pages
    let vcpu = Int(random.next() % 2)
    let value = random.next()
    let slots = bench.rig.memory.slots
    switch random.next() % 24 {
    case 0:
      bench.mmu.zap(bench.frames(page..<(page + 3)))
      return "zap"
    case 1: return "host-unmap \(bench.mmu.unmapHost(bench.frames(page..<(page + 2))) >= 0)"
    case 2: return "age \(bench.mmu.age(bench.frames(page..<(page + 4)), clearing: true) >= 0)"
    case 3:
      if slots[id: 0]?.activeLog == nil {
        let method = DirtyMethod.allCases[Int(value % 3)]
        return "log \(attempt { try bench.mmu.startDirtyLog(slot: 0, method) })"
      }
      return "stop \(attempt { try bench.mmu.stopDirtyLog(slot: 0) })"
    case 4:
      let words = try? bench.mmu.dirtyPages(ofSlot: 0, clearing: value & 1 == 0)
      return "dirty \(words.map { "\($0)" } ?? "none")"
    case 5:
      let hasExtra = slots[id: Self.extra.id] != nil
      let done = attempt {
        try bench.mmu.updateSlots(dropping: GFN(0x9000)..<GFN(0x9004)) {
          table throws(MemslotError) in
          hasExtra ? try table.removing(id: Self.extra.id) : try table.adding(Self.extra)
        }
      }
      return "slot \(hasExtra) \(done)"
    case 6:
      // The guest's own tables change, and the processor is told.
      let gva = EPTBench.base + page << 12
      let target = EPTBench.gpa + value % 64 << 12
      bench.rig.tables.map(gva, to: value % 5 == 0 ? 0x900_0000 + value % 4 << 12 : target)
      for vcpu in 0..<2 { bench.rig.machine.vcpu(vcpu, invalidatePage: GVA(gva)) }
      return "remap"
    case 7...14:
      return words(
        bench.access(.write, page: page, value: UInt128(value), vcpu: vcpu), countingExits)
    case 15: return words(bench.access(.fetch, page: page, vcpu: vcpu), countingExits)
    default: return words(bench.access(.read, page: page, vcpu: vcpu), countingExits)
    }
  }

  private func attempt(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "done"
    } catch { return "\(error)" }
  }

  private func words(_ report: AccessReport<some Error>, _ countingExits: Bool) -> String {
    let place = report.hpa.map { "\($0)" } ?? "nowhere"
    return "\(report.outcome) at \(place)" + (countingExits ? ", \(report.exits.nonzero)" : "")
  }
}

@Suite("Snapshots")
struct SnapshotTests {
  private static func bytes(_ bench: EPTBench) -> [UInt8] {
    // The guest's tables, its data, and the slot that comes and goes.
    let view = bench.rig.memory.view
    return view.read(GPA(0x10_0000), count: 16 << 12)
      + view.read(GPA(EPTBench.gpa), count: 64 << 12)
      + view.read(GPA(0x900_0000), count: 4 << 12)
  }

  @Test(
    "T1 T3 T8 a machine that is put back is the one that never went on",
    arguments: [false, true])
  func neverWentOn(keepsTables: Bool) throws {
    for seed in 1...12 as ClosedRange<UInt64> {
      let backing: PageSize = seed % 3 == 0 ? .size2MiB : .size4KiB
      let bench = try EPTBench(backing: backing, vcpus: 2, pages: RandomRun.pages)
      let other = try EPTBench(backing: backing, vcpus: 2, pages: RandomRun.pages)
      var run = RandomRun(seed: seed)
      let before = run.play(60, on: bench, countingExits: true)
      var twin = RandomRun(seed: seed)
      #expect(twin.play(60, on: other, countingExits: true) == before, "seed \(seed)")

      let snapshot = try bench.rig.machine.snapshot(tables: keepsTables ? .kept : .rebuilt)
      // Looking at the log is part of keeping it.
      _ = try other.rig.machine.snapshot()
      var astray = RandomRun(seed: seed << 32)
      for round in 0..<3 {
        _ = astray.play(80, on: bench, countingExits: false)
        try bench.rig.machine.restore(snapshot)
        #expect(Self.bytes(bench) == Self.bytes(other), "seed \(seed), round \(round)")
        #expect(
          bench.rig.memory.slots.slots.map(\.base) == other.rig.memory.slots.slots.map(\.base))
        #expect(bench.mmu.audit() == [], "seed \(seed), round \(round)")
        if snapshot.keepsTables {
          #expect(bench.rig.memory.generation == other.rig.memory.generation)
          #expect(bench.mmu.tablePages == other.mmu.tablePages)
        }
      }
      // Where writes are logged, the log says more: what the restore itself wrote.
      guard bench.rig.memory.slots[id: 0]?.activeLog == nil else { continue }
      let isExact = snapshot.keepsTables
      let after = run.play(60, on: bench, countingExits: isExact)
      #expect(after == twin.play(60, on: other, countingExits: isExact), "seed \(seed)")
      #expect(Self.bytes(bench) == Self.bytes(other), "seed \(seed)")
      #expect(bench.mmu.audit() == [], "seed \(seed)")
    }
  }

  @Test("T8 snapshots nest: each goes back to its own moment, in any order")
  func nested() throws {
    let bench = try EPTBench()
    let machine = bench.rig.machine
    var snapshots: [MachineSnapshot<X86Processor, TDPMMU<EPTEncoder, DefaultPolicy>>] = []
    for value in 1...4 as ClosedRange<UInt128> {
      bench.access(.write, page: 0, value: value)
      bench.access(.write, page: UInt64(value), value: value)
      snapshots.append(try machine.snapshot())
    }
    // The first holds nothing of its own; the later ones what was written after it.
    #expect(snapshots[0].memory.host.pageCount == 0)
    #expect(snapshots[3].memory.host.pageCount < 64)
    for index in [2, 0, 3, 1, 1] {
      bench.access(.write, page: 9, value: 99)
      try machine.restore(snapshots[index])
      #expect(bench.access(.read, page: 0).value == UInt128(index + 1))
      for page in 1...4 as ClosedRange<UInt64> {
        #expect(bench.access(.read, page: page).value == (page <= index + 1 ? UInt128(page) : 0))
      }
      #expect(bench.access(.read, page: 9).value == 0)
      #expect(bench.mmu.audit() == [])
    }
  }

  @Test("T3 to who follows a dirty log, what a restore changes is written")
  func logged() throws {
    let bench = try EPTBench()
    let machine = bench.rig.machine
    bench.access(.write, page: 1, value: 1)
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect)
    bench.access(.write, page: 2, value: 2)
    let snapshot = try machine.snapshot(tables: .kept)
    #expect(!snapshot.keepsTables, "a leaf that is writable now would pass the log later")
    _ = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    bench.access(.write, page: 3, value: 3)
    _ = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    try machine.restore(snapshot)
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    func isMarked(_ page: UInt64) -> Bool {
      let frame = EPTBench.gpa >> 12 + page
      return words[Int(frame / 64)] >> (frame % 64) & 1 != 0
    }
    #expect(!isMarked(1), "it was clean, and is as it was")
    #expect(isMarked(2), "it was marked at the snapshot")
    #expect(isMarked(3), "who had copied 3 must copy 0 again")
    #expect(bench.access(.read, page: 3).value == 0)
    bench.access(.write, page: 1, value: 5)
    let later = try bench.mmu.dirtyPages(ofSlot: 0, clearing: false)
    let frame = Int(EPTBench.gpa >> 12)
    #expect(later[frame / 64] == 1 << UInt64(frame % 64 + 1), "1 alone")
    #expect(bench.mmu.audit() == [])
  }

  @Test("T8 a slot that was removed after the snapshot is there again, with its memory")
  func removedSlot() throws {
    let bench = try EPTBench()
    bench.access(.write, page: 4, value: 4)
    let generation = bench.rig.memory.generation
    let snapshot = try bench.rig.machine.snapshot()
    try bench.mmu.updateSlots(dropping: GFN(0)..<GFN(4096)) { table throws(MemslotError) in
      try table.removing(id: 0)
    }
    #expect(bench.access(.read, page: 4).fault?.vector == 14, "its tables are gone too")
    try bench.rig.machine.restore(snapshot)
    #expect(bench.access(.read, page: 4).value == 4)
    // No MMIO entry of the time between can be taken for one of now.
    #expect(bench.rig.memory.generation > generation + 1)
  }

  @Test("a snapshot of another machine is refused, and nothing happens")
  func foreign() throws {
    let (one, other) = (try EPTBench(), try EPTBench())
    one.access(.write, page: 1, value: 1)
    _ = try one.rig.machine.snapshot()
    let snapshot = try other.rig.machine.snapshot()
    #expect(throws: SnapshotError.foreign) { try one.rig.machine.restore(snapshot) }
    #expect(one.access(.read, page: 1).value == 1)
  }
}
