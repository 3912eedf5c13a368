import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86

@Suite("Shadow rules, one by one")
struct ShadowRuleTests {
  @Test("F2 a malformed entry that is neither MMIO nor zapped ends the run with the walk's entries")
  func malformed() throws {
    let rig = try ShadowRig()
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    let leaf = try #require(rig.leaf(0x4000))
    let place = try #require(rig.leafPlace(0x4000))
    let broken = leaf.spte.rawValue | 1 << 50
    _ = rig.memory.host.view.swap(place, to: broken)
    rig.machine.vcpu(0, invalidatePage: GVA(0x9000))
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    guard case .malformedEntry(_, let steps) = rig.access(.read, 0x4000).failure else {
      Issue.record("the run went on")
      return
    }
    #expect(steps.map(\.level) == [Level(4), Level(3), .directory, .pageTable])
    #expect(steps.last?.entry == broken && steps.last?.kind == .reserved)
    #expect(steps.dropLast().allSatisfy { $0.kind == .table })
  }

  @Test("F9 T3 neighbours in a logged slot are mapped without W")
  func prefetchLogged() throws {
    let rig = try ShadowRig()
    for page: UInt64 in 8..<16 { rig.map(page << 12, to: 0x20_0000 + page << 12, flags: 0x67) }
    try rig.mmu.startDirtyLog(
      slot: 0, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    _ = rig.access(.write, 9 << 12, value: 1)
    #expect(rig.machine.counters.prefetched == 7)
    for page: UInt64 in 8..<16 {
      let isWritable = (rig.leaf(page << 12)?.spte.rawValue ?? 0) & 2 != 0
      #expect(isWritable == (page == 9))
    }
    #expect(try ShadowMaintenanceTests.pages(rig).contains(0x209))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F9 F10 no neighbour is mapped whose frame the host is taking away")
  func prefetchNotified() throws {
    let rig = try ShadowRig()
    for page: UInt64 in 8..<16 { rig.map(page << 12, to: 0x20_0000 + page << 12, flags: 0x67) }
    rig.mmu.unmapHost(GFN(0x20B)..<GFN(0x20C)) {
      _ = rig.access(.read, 9 << 12)
      #expect(rig.machine.counters.prefetched == 2, "pages 8 and 10; 11 ends the run")
    }
    #expect(rig.mmu.audit() == [])
  }

  @Test("F13 the reverse map has every leaf of a frame, of any size, and never another")
  func reverseMap() throws {
    let rig = try ShadowRig(
      slots: [.ram(backing: .size2MiB)], options: ShadowOptions(prefetchWindow: 1))
    // A thousand ways to one small page, a large page beside it, and neighbours.
    for number: UInt64 in 0..<1000 { rig.map(0x1000_0000 + number << 12, to: 0x40_0000) }
    rig.map(0x20_0000, to: 0x60_0000, level: 2)
    rig.map(0x3000_0000, to: 0x40_1000)
    for number: UInt64 in 0..<1000 { _ = rig.access(.read, 0x1000_0000 + number << 12) }
    for gva: UInt64 in [0x20_3000, 0x3000_0000] { _ = rig.access(.read, gva) }
    #expect(rig.leaf(0x20_3000)?.level == 2)
    #expect(rig.mmu.age(GFN(0x400)..<GFN(0x401), clearing: false) == 1000)
    #expect(rig.mmu.age(GFN(0x603)..<GFN(0x604), clearing: false) == 1)
    #expect(rig.mmu.age(GFN(0x600)..<GFN(0x800), clearing: false) == 1)
    #expect(rig.mmu.audit() == [])
    #expect(rig.mmu.unmapHost(GFN(0x603)..<GFN(0x604)) == 1)
    #expect(rig.mmu.unmapHost(GFN(0x400)..<GFN(0x401)) == 1000)
    #expect(rig.mmu.age(GFN(0)..<GFN(4096), clearing: false) == 1)
    #expect(rig.access(.read, 0x3000_0000).exits.total == 0)
    #expect(rig.mmu.audit() == [])
  }

  @Test(
    "F16 a guest without paging runs on direct tables of 32 bits, also after it turns paging off")
  func noPaging() throws {
    let rig = try ShadowRig(.none)
    #expect(rig.access(.write, 0x20_0000, value: 3).gpa == GPA(0x20_0000))
    #expect(rig.access(.read, 0x1_0020_0000).gpa == GPA(0x20_0000), "addresses wrap at 32 bits")
    #expect(rig.access(.fetch, 0x20_0000, user: true).value != nil, "nothing is refused")
    #expect(rig.machine.counters.cacheMisses == 0, "no guest table is shadowed")
    let paged = try ShadowRig(.legacy32)
    paged.map(0x20_0000, to: 0x40_0000)
    #expect(paged.access(.read, 0x20_0000).gpa == GPA(0x40_0000))
    try paged.machine.vcpu(0, moveToCR0: [.protectionEnable, .writeProtect])
    #expect(paged.access(.read, 0x20_0000).gpa == GPA(0x20_0000))
    #expect(paged.mmu.audit() == [])
  }
}
