import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Testing
import X86
import X86EPT
import X86NPT

@Suite("Changes of ranges")
struct RangeTests {
  @Test("T1 T5 a zap takes the leaves and tables of a range, and nothing beside it")
  func zapRange() throws {
    let bench = try EPTBench()
    for page in 0..<64 as Range<UInt64> { bench.access(.write, page: page, value: UInt128(page)) }
    #expect(bench.mmu.audit() == [])
    let pages = bench.mmu.tablePages
    #expect(bench.mmu.zap(bench.frames(8..<16)) == 8)
    #expect(bench.mmu.tablePages == pages)
    #expect(bench.entry(page: 8)?.spte == bench.mmu.encoder.layout.nonPresent)
    #expect((bench.entry(page: 7)?.spte.rawValue ?? 0) & 7 == 7)
    // What the TLB still held is dropped before the next access.
    let again = bench.access(.read, page: 9)
    #expect(again.value == 9 && !again.isTLBHit)
    #expect(again.exits[.eptViolation] == 1)
    let other = bench.access(.read, page: 7)
    #expect(other.value == 7 && other.exits.total == 0)
    // The whole 2 MiB: its table goes back to the pool.
    #expect(bench.mmu.zap(bench.frames(0..<512)) == 57)
    #expect(bench.mmu.tablePages == pages - 1)
    #expect(bench.mmu.audit() == [])
  }

  @Test("T8 T5 a slot that moves is read where it was moved to")
  func moveSlot() throws {
    let bench = try EPTBench()
    bench.access(.write, page: 1, value: 0x11)
    let place = bench.rig.memory.slots[id: 0]?.pfn(of: GFN(0x201))
    let other = HPA(40 << 20)
    try bench.mmu.updateSlots(dropping: GFN(0)..<GFN(4096)) { table throws(MemslotError) in
      guard var high = table[id: 0] else { throw .unknown(id: 0) }
      high.frameCount = 0x200
      return try table.replacing(high)
        .adding(Memslot(id: 1, base: GFN(0x200), frameCount: 512, host: other))
    }
    let report = bench.access(.read, page: 1)
    #expect(report.value == 0)
    #expect(report.hpa == other.wrappingAdd(0x1008))
    #expect(place != other.frame.wrappingAdd(1))
    #expect(bench.mmu.audit() == [])
  }

  @Test("T5 F10 while the host changes memory its frames wait, and are mapped anew after")
  func unmapHost() throws {
    let bench = try EPTBench()
    bench.access(.write, page: 3, value: 0x33)
    let sequence = bench.mmu.notifierSequence
    var during: FaultError?
    let host = bench.rig.memory.host.view
    let place = try #require(bench.access(.read, page: 3).hpa)
    let leaves = bench.mmu.unmapHost(bench.frames(2..<5)) {
      during = bench.access(.read, page: 3).failure
      _ = host.writeValue(0x44, size: 8, at: place)
      #expect(bench.access(.read, page: 8).value == 0, "frames beside it are not held up")
    }
    #expect(leaves == 1)
    #expect(during == .livelock(GPA(0)), "the access did not get on")
    #expect(bench.mmu.notifierSequence == sequence + 1)
    #expect(bench.access(.read, page: 3).value == 0x44)
    #expect(bench.mmu.audit() == [])
  }

  @Test("T4 with A bits ageing clears A, flushes nothing, and finds what was used since")
  func ageWithA() throws {
    let bench = try EPTBench()
    for page in 0..<8 as Range<UInt64> { bench.access(.read, page: page) }
    let range = bench.frames(0..<16)
    #expect(bench.mmu.age(range, clearing: false) == 8)
    #expect(bench.mmu.age(range, clearing: true) == 8)
    #expect(bench.mmu.age(range, clearing: true) == 0)
    #expect(bench.access(.read, page: 2).isTLBHit, "nothing was flushed")
    bench.mmu.synchronize()
    let report = bench.access(.read, page: 2)
    #expect(report.exits.total == 0)
    #expect(bench.mmu.age(range, clearing: true) == 1)
  }

  @Test("E3 T4 T7 without A bits ageing takes R and X away; the fault gives them back")
  func ageWithoutA() throws {
    let bench = try EPTBench(accessedDirty: false)
    for page in 0..<4 as Range<UInt64> { bench.access(.write, page: page, value: 7) }
    let before = try #require(bench.entry(page: 1)).spte
    #expect(bench.mmu.age(bench.frames(0..<4), clearing: true) == 4)
    let tracked = try #require(bench.entry(page: 1)).spte
    #expect(tracked.rawValue & 7 == 0)
    #expect(tracked.rawValue >> 54 & 1 == 1 && tracked.rawValue >> 56 & 1 == 1)
    #expect(bench.mmu.encoder.aged(tracked) == tracked)
    #expect(bench.mmu.age(bench.frames(0..<4), clearing: true) == 0)
    #expect(bench.mmu.audit() == [])
    let read = bench.access(.read, page: 1)
    #expect(read.value == 7 && read.exits[.eptViolation] == 1)
    #expect(try #require(bench.entry(page: 1)).spte == bench.mmu.encoder.writeProtected(before))
    #expect(bench.mmu.age(bench.frames(0..<4), clearing: false) == 1)
    bench.access(.write, page: 1, value: 8)
    #expect(try #require(bench.entry(page: 1)).spte == before)
    #expect(bench.rig.machine.counters.repaired == 2)
  }

  @Test("E18 a large page splits within a budget, its children map what it mapped, and collapses")
  func splitAndCollapse() throws {
    let bench = try EPTBench(backing: .size2MiB)
    bench.access(.write, page: 5, value: 55)
    let large = try #require(bench.entry(page: 5))
    #expect(large.level == .directory)
    let pages = bench.mmu.tablePages
    #expect(bench.mmu.splitLargePages(in: bench.frames(0..<512), budget: 0) == (0, false))
    #expect(bench.entry(page: 5)?.spte == large.spte)
    #expect(bench.mmu.splitLargePages(in: bench.frames(0..<512), budget: 9) == (1, true))
    #expect(bench.mmu.tablePages == pages + 1)
    let encoder = bench.mmu.encoder
    for page in 0..<512 as Range<UInt64> {
      let child = try #require(bench.entry(page: page))
      #expect(child.level == .pageTable)
      #expect(encoder.pfn(of: child.spte) == encoder.pfn(of: large.spte).wrappingAdd(page))
      #expect(child.spte.rawValue & 1 << 7 == 0)
    }
    #expect(bench.mmu.audit() == [])
    #expect(bench.access(.read, page: 5).value == 55)
    #expect(bench.mmu.collapse(in: bench.frames(0..<512)) == 1)
    #expect(bench.entry(page: 5)?.spte == large.spte)
    #expect(bench.mmu.tablePages == pages)
    #expect(bench.access(.read, page: 5).value == 55)
    #expect(bench.mmu.audit() == [])
  }

  @Test("E18 access-tracked leaves split and collapse with what was saved")
  func splitTracked() throws {
    let bench = try EPTBench(accessedDirty: false, backing: .size2MiB)
    bench.access(.write, page: 5, value: 55)
    bench.mmu.age(bench.frames(0..<512), clearing: true)
    #expect(bench.mmu.splitLargePages(in: bench.frames(0..<512), budget: 9).splits == 1)
    let child = try #require(bench.entry(page: 9))
    #expect(child.level == .pageTable && bench.mmu.encoder.isAccessTracked(child.spte))
    #expect(bench.access(.read, page: 5).value == 55)
    #expect(bench.mmu.collapse(in: bench.frames(0..<512)) == 1)
    let large = try #require(bench.entry(page: 5))
    #expect(large.level == .directory && large.spte.rawValue & 7 == 7)
    #expect(bench.mmu.audit() == [])
  }

  @Test("T9 a dry pool is a clear error, and a zap makes room again")
  func dryPool() throws {
    let bench = try EPTBench(tablePages: 8)
    let tables = bench.rig.tables
    // A page every GiB needs two tables each.
    for index in 0..<4 as Range<UInt64> {
      let slot = Memslot(
        id: Int(index) + 1, base: GFN((index + 1) << 18), frameCount: 1, host: HPA(40 << 20))
      try bench.rig.memory.update { table throws(MemslotError) in try table.adding(slot) }
      tables.map(0x6000_0000 + index << 12, to: (index + 1) << 30)
    }
    var failures = 0
    for index in 0..<4 as Range<UInt64> {
      if let failure = bench.rig.access(.read, 0x6000_0000 + index << 12).failure {
        #expect(failure == .tablePagesExhausted(limit: 8))
        failures += 1
      }
    }
    #expect(failures > 0)
    #expect(bench.mmu.audit() == [])
    bench.mmu.zap(GFN(0)..<GFN(1 << 30))
    #expect(bench.rig.access(.read, 0x6000_3000).failure == nil)
  }
}
