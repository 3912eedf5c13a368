import MMU
import Machine
import Paging
import Testing

@testable import MMUBench

/// The rigs of whole faults and of upkeep, at sizes that a debug build gets through.
@Suite("Benchmarks of faults and upkeep")
struct PairAgreementTests {
  @Test("shadow faults map what the twin's map, whatever the memslots", arguments: [1, 7, 600])
  func shadowFaults(slots: Int) throws {
    let rig = try ShadowAccessRig(pages: 600, slots: slots)
    let twin = try ShadowTwin(pages: 600, slots: slots)
    let pages: [UInt32] = [599, 0, 511, 512, 300]
    // Nothing faults twice.
    #expect(rig.fault(pages).failures == 5)
    #expect(twin.fault(pages).failures == 5)
    rig.drop(pages)
    twin.drop(pages)
    let found = rig.fault(pages)
    #expect(found == twin.fault(pages))
    #expect(found == WalkLoop.Tally(checksum: 599 + 511 + 512 + 300))
    #expect(rig.mmu.audit().isEmpty)
  }

  @Test("a flush brings each changed table in step, on both sides (F6)")
  func sync() throws {
    let rig = try ShadowAccessRig(pages: 1024)
    let twin = try ShadowTwin(pages: 1024)
    for _ in 0..<3 {
      rig.unsync()
      twin.unsync()
      let found = rig.sync()
      #expect(found == WalkLoop.Tally(checksum: 2))
      #expect(found == twin.sync())
      #expect(rig.mmu.audit().isEmpty)
    }
    // What is in step already counts as a failure: the figure would time nothing.
    #expect(rig.sync().failures == 1)
    #expect(twin.sync().failures == 2)
  }

  @Test("MMIO the second time searches no memslot, and both sides read the same (F2)")
  func mmio() throws {
    let rig = try AccessRig()
    let twin = try MMIOTwin(rig)
    let pages = AccessRig.devicePageCount
    rig.dropDeviceLeaves()
    twin.drop()
    var before = rig.machine.counters
    let first = rig.read(AccessRig.device, count: pages, span: pages)
    #expect(first.failures == 0)
    #expect(first == twin.read(count: pages))
    #expect(rig.machine.counters.memslotSearches == before.memslotSearches + pages)
    #expect(rig.machine.counters.mmioCached == before.mmioCached)
    before = rig.machine.counters
    let second = rig.read(AccessRig.device, count: pages, span: pages)
    #expect(second == first)
    #expect(second == twin.read(count: pages))
    #expect(rig.machine.counters.memslotSearches == before.memslotSearches)
    #expect(rig.machine.counters.mmioCached == before.mmioCached + pages)
  }

  @Test("switches between two roots find both (F14)")
  func switches() throws {
    let rig = try ShadowAccessRig(pages: 512)
    rig.switchTo(1)
    rig.switchTo(0)
    let found = rig.switches(count: 9)
    #expect(found == ShadowTwin.switches(rig.roots.map(\.rawValue), count: 9))
    #expect(found.failures == 0)
  }

  @Test("a round finds what was written, once (T3)")
  func round() throws {
    let rig = try UpkeepRig(pages: 2048, of: .size4KiB)
    let twin = try UpkeepTwin(pages: 2048, isLarge: false)
    try rig.startLog()
    rig.write(step: 5)
    twin.write(step: 5)
    let found = rig.round()
    #expect(found == WalkLoop.Tally(checksum: 410))
    #expect(found == twin.round())
    #expect(rig.round() == WalkLoop.Tally())
    #expect(twin.round() == WalkLoop.Tally())
  }

  @Test("every large page is split, and can be again after a collapse (E18)")
  func split() throws {
    let rig = try UpkeepRig(pages: 2048, of: .size2MiB)
    let twin = try UpkeepTwin(pages: 2048, isLarge: true)
    for _ in 0..<2 {
      rig.collapse()
      twin.collapse()
      let found = rig.split()
      #expect(found == WalkLoop.Tally(checksum: 4))
      #expect(found == twin.split())
    }
  }
}
