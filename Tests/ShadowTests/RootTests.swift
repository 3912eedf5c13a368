import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86

@Suite("Roots, pool and MMIO of shadow paging")
struct ShadowRootTests {
  @Test("F14 three previous roots are kept: going back to one makes no page and no exit")
  func previousRoots() throws {
    let rig = try ShadowRig(.long4)
    let roots = (0..<5).map { 0x10_0000 + UInt64($0) * 0x4_0000 }
    for (number, root) in roots.enumerated() {
      rig.map(0x4000, to: 0x20_0000 + UInt64(number) << 12, in: root)
    }
    for (number, root) in roots[..<4].enumerated() {
      try rig.machine.vcpu(0, moveToCR3: root)
      #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000 + UInt64(number) << 12))
    }
    let made = rig.machine.counters.cacheMisses
    for (number, root) in roots[..<4].enumerated() {
      try rig.machine.vcpu(0, moveToCR3: root)
      let report = rig.access(.read, 0x4000)
      #expect(report.gpa == GPA(0x20_0000 + UInt64(number) << 12))
      #expect(report.exits.total == 0 && !report.isTLBHit)
    }
    #expect(rig.machine.counters.cacheMisses == made)
    #expect(rig.machine.vcpus[0].exits[.controlRegisterWrite] == 8)
    #expect(rig.mmu.audit() == [])
  }

  @Test("F4 F17 hundreds of address spaces fit a small pool: the oldest pages are recycled")
  func recycling() throws {
    let rig = try ShadowRig(.long4, tablePages: 24)
    for number in 0..<200 as Range<UInt64> {
      let root = 0x40_0000 + number << 12
      let sub = 0x60_0000 + number * 3 << 12
      rig.poke(root, sub | 7)
      rig.poke(sub, sub + 0x1000 | 7)
      rig.poke(sub + 0x1000, sub + 0x2000 | 7)
      rig.poke(sub + 0x2000 + 32, 0xF0_0000 + number << 12 | 7)
    }
    for round in 0..<2 {
      for number in 0..<200 as Range<UInt64> {
        try rig.machine.vcpu(0, moveToCR3: 0x40_0000 + number << 12)
        let report = rig.access(.write, 0x4000, value: UInt128(number + UInt64(round)))
        #expect(report.gpa == GPA(0xF0_0000 + number << 12))
        #expect(rig.pool.inUse <= 24)
      }
    }
    #expect(rig.machine.counters.recycled > 1000)
    #expect(rig.mmu.audit() == [])
  }

  @Test("T9 F17 a pool that is too small is a clear error and leaves nothing half done")
  func poolLimit() throws {
    for limit in 1...8 {
      let rig = try ShadowRig(.long4, tablePages: limit)
      rig.map(0x4000, to: 0x20_0000)
      let report = rig.access(.read, 0x4000)
      if limit < 4 {
        #expect(report.failure == .tablePagesExhausted(limit: limit))
      } else {
        #expect(report.value != nil)
      }
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("F14 CR3 in no slot: every access faults, and a slot that appears mends it")
  func dummyRoot() throws {
    let rig = try ShadowRig(.long4)
    rig.map(0x4000, to: 0x20_0000)
    try rig.machine.vcpu(0, moveToCR3: 0x4000_0000)
    guard case .injected(14, 2) = rig.access(.write, 0x4000).outcome else {
      Issue.record("no fault")
      return
    }
    try rig.memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 3, base: GFN(0x4_0000), frameCount: 16, host: HPA(40 << 20)))
    }
    rig.poke(0x4000_0000, rig.peek(rig.root))
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F14 PCIDs keep their roots apart; bit 63 of CR3 keeps what is cached")
  func pcid() throws {
    let rig = try ShadowRig(.long4) { $0.cr4.insert(.processContextIdentifiers) }
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    try rig.machine.vcpu(0, moveToCR3: rig.root | 1)
    _ = rig.access(.read, 0x4000)
    try rig.machine.vcpu(0, moveToCR3: 1 << 63 | rig.root)
    #expect(rig.access(.read, 0x4000).isTLBHit)
    try rig.machine.vcpu(0, moveToCR3: 1 << 63 | rig.root | 1)
    #expect(rig.access(.read, 0x4000).isTLBHit)
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    #expect(!rig.access(.read, 0x4000).isTLBHit)
    #expect(rig.mmu.audit() == [])
  }

  @Test(
    "F2 F3 MMIO is found once, answered by the last page, then by the entry",
    arguments: [true, false])
  func mmio(isCached: Bool) throws {
    let rig = try ShadowRig(.long4, isMMIOCached: isCached)
    rig.map(0x4000, to: 0x4000_0000)
    rig.map(0x5000, to: 0x4000_1000)
    for (gva, gpa) in [(0x4010, 0x4000_0010), (0x5010, 0x4000_1010)] as [(UInt64, UInt64)] {
      let report = rig.access(.write, gva, value: 1)
      #expect(report.gpa == GPA(gpa) && report.mmio != nil)
      #expect(report.exits[.shadowPageFault] == 1)
    }
    #expect(rig.machine.counters.mmioSearched == 2)
    // The last page answers; the other one's entry does, where there are any.
    for gva in [0x5018, 0x4018] as [UInt64] { #expect(rig.access(.read, gva).mmio != nil) }
    #expect(rig.machine.counters.mmioCached == (isCached ? 2 : 1))
    #expect(rig.machine.counters.mmioSearched == (isCached ? 2 : 3))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F2 a memslot change makes MMIO entries stale; the same exit goes on in full")
  func generations() throws {
    let rig = try ShadowRig(.long4)
    rig.map(0x4000, to: 0x4000_0000)
    _ = rig.access(.read, 0x4000)
    try rig.memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 3, base: GFN(0x4_0000), frameCount: 16, host: HPA(40 << 20)))
    }
    let report = rig.access(.write, 0x4000, value: 5)
    #expect(report.mmio == nil && report.hpa == HPA(40 << 20))
    #expect(report.exits[.shadowPageFault] == 1)
    #expect(rig.machine.counters.mmioStale == 1)
    #expect(rig.mmu.audit() == [])
  }

  @Test("E6 F2 the wrap of the 19-bit generation leaves no MMIO entry of the last round")
  func wrap() throws {
    let rig = try ShadowRig(.long4, generation: 5)
    rig.map(0x4000, to: 0x4000_0000)
    _ = rig.access(.read, 0x4000)
    // Half a million updates change nothing but the generation.
    for _ in 0..<0x80000 { try rig.memory.update { table throws(MemslotError) in table } }
    let stale = rig.machine.counters.mmioStale
    let searched = rig.machine.counters.mmioSearched
    #expect(rig.access(.read, 0x4000).mmio != nil)
    #expect(rig.machine.counters.mmioSearched == searched + 1, "searched anew, not believed")
    #expect(rig.machine.counters.mmioStale == stale)
  }

  @Test("F3 a read-only slot: a read maps it, a write is MMIO; unbacked frames end the access")
  func readOnly() throws {
    let rom = Memslot(
      id: 1, base: GFN(0x4_0000), frameCount: 1, host: HPA(40 << 20), flags: .readOnly)
    let hole = Memslot(id: 2, base: GFN(0x5_0000), frameCount: 1, host: nil)
    let rig = try ShadowRig(.long4, slots: [.ram, rom, hole])
    rig.map(0x4000, to: 0x4000_0000)
    rig.map(0x5000, to: 0x5000_0000)
    #expect(rig.access(.read, 0x4000).hpa == HPA(40 << 20))
    let writability: UInt64 = 0x602
    #expect((rig.leaf(0x4000)?.spte.rawValue ?? .max) & writability == 0)
    #expect(rig.access(.write, 0x4000, value: 1).mmio != nil)
    #expect(rig.access(.read, 0x5000).failure == .unbacked(GFN(0x5_0000)))
    #expect(rig.mmu.audit() == [])
  }
}
