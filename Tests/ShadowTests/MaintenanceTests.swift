import MMU
import Machine
import MachineSupport
import Paging
import Testing

@Suite("The host's upkeep of shadow tables")
struct ShadowMaintenanceTests {
  /// A guest that has written four pages of data.
  static func rig(backing: PageSize = .size4KiB) throws -> ShadowRig {
    let rig = try ShadowRig(
      slots: [.ram(backing: backing)], options: ShadowOptions(prefetchWindow: 1))
    if backing == .size4KiB {
      for page: UInt64 in 0..<4 { rig.map(0x4000 + page << 12, to: 0x20_0000 + page << 12) }
    } else {
      rig.map(0x20_0000, to: 0x20_0000, level: 2)
    }
    return rig
  }

  static func pages(_ rig: ShadowRig, clearing: Bool = true) throws -> [Int] {
    let words = try rig.mmu.dirtyPages(ofSlot: 0, clearing: clearing)
    return words.indices.flatMap { word in
      (0..<64).filter { words[word] >> UInt64($0) & 1 != 0 }.map { word * 64 + $0 }
    }
  }

  @Test("T3 F13 the log names the pages written since the last look, found through the reverse map")
  func log() throws {
    let rig = try Self.rig()
    for page: UInt64 in 0..<4 { _ = rig.access(.write, 0x4000 + page << 12, value: 1) }
    try rig.mmu.startDirtyLog(
      slot: 0, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    #expect(try Self.pages(rig) == [])
    #expect(rig.access(.read, 0x5000).exits.total == 0, "reads go on")
    #expect(rig.access(.write, 0x5000, value: 2).exits[.shadowPageFault] == 1)
    #expect(rig.access(.write, 0x5008, value: 3).exits.total == 0)
    _ = rig.access(.write, 0x7000, value: 4)
    #expect(try Self.pages(rig, clearing: false) == [0x201, 0x203])
    #expect(try Self.pages(rig) == [0x201, 0x203])
    #expect(rig.mmu.audit() == [])
    // Only what was named is protected again; the rest is protected still.
    #expect(rig.access(.write, 0x5000, value: 5).exits[.shadowPageFault] == 1)
    #expect(rig.access(.write, 0x4000, value: 6).exits[.shadowPageFault] == 1)
    #expect(try Self.pages(rig) == [0x200, 0x201])
    try rig.mmu.stopDirtyLog(slot: 0)
    #expect(rig.access(.write, 0x6000, value: 7).value == 7)
    #expect(throws: DirtyLogError.notRunning(slot: 0)) { try Self.pages(rig) }
    #expect(rig.mmu.audit() == [])
  }

  @Test("T3 F6 a guest's table that is written is in the log, tracked by software or out of step")
  func tables() throws {
    let rig = try Self.rig()
    rig.mapWindow(at: 0x4000_0000, pages: 64)
    for page: UInt64 in 0..<4 { _ = rig.access(.write, 0x4000 + page << 12, value: 1) }
    let leaf = rig.place(0x4000)
    let directory = rig.place(0x4000, level: 2)
    try rig.mmu.startDirtyLog(
      slot: 0, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    for place in [leaf, directory] {
      let window = 0x4000_0000 + place - 0x10_0000
      _ = rig.access(.read, window)
      _ = try Self.pages(rig)
      _ = rig.access(.write, window, value: UInt128(rig.peek(place)))
      #expect(try Self.pages(rig).contains(Int(place >> 12)))
    }
    #expect(rig.mmu.audit() == [])
  }

  @Test("T3 F11 a large page is logged in small ones; an initially-set log protects none before")
  func large() throws {
    let rig = try Self.rig(backing: .size2MiB)
    _ = rig.access(.write, 0x20_3000, value: 1)
    #expect(rig.leaf(0x20_3000)?.level == 2)
    try rig.mmu.startDirtyLog(
      slot: 0, .writeProtect, isInitiallySet: true, usesRings: false, splitBudget: 0)
    #expect(rig.access(.write, 0x20_3000, value: 2).exits.total == 0)
    #expect(try Self.pages(rig).count == 4096)
    #expect(rig.access(.write, 0x20_3000, value: 3).exits[.shadowPageFault] == 1)
    #expect(rig.leaf(0x20_3000)?.level == 1)
    #expect(try Self.pages(rig) == [0x203])
    #expect(rig.mmu.audit() == [])
  }

  @Test("T3 E2 methods that need a second level, and rings, are refused in one line")
  func refused() throws {
    let rig = try Self.rig()
    for method in [DirtyMethod.dirtyBit, .pageModificationLog] {
      let error = #expect(throws: DirtyLogError.self) {
        try rig.mmu.startDirtyLog(
          slot: 0, method, isInitiallySet: false, usesRings: false, splitBudget: 0)
      }
      #expect(error == .needsSecondLevel(method))
      #expect(error?.description.contains(method.rawValue) == true)
    }
    #expect(throws: DirtyLogError.noRings) {
      try rig.mmu.startDirtyLog(
        slot: 0, .writeProtect, isInitiallySet: false, usesRings: true, splitBudget: 0)
    }
    #expect(throws: DirtyLogError.memslot(.unknown(id: 9))) {
      try rig.mmu.startDirtyLog(
        slot: 9, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    }
    #expect(throws: DirtyLogError.notRunning(slot: 0)) { try rig.mmu.stopDirtyLog(slot: 0) }
  }

  @Test("T4 T5 F13 ageing and unmapping find exactly the leaves of a range")
  func ranges() throws {
    let rig = try Self.rig()
    // Two ways to one page, and a page beside it.
    rig.map(0x9000, to: 0x20_0000)
    for gva: UInt64 in [0x4000, 0x9000, 0x5000] { _ = rig.access(.read, gva) }
    let one = GFN(0x200)..<GFN(0x201)
    #expect(rig.mmu.age(one, clearing: true) == 2)
    #expect(rig.mmu.age(one, clearing: false) == 0)
    #expect(rig.mmu.age(GFN(0)..<GFN(4096), clearing: true) == 1)
    rig.machine.vcpu(0, invalidatePage: GVA(0x9000))
    _ = rig.access(.read, 0x9000)
    #expect(rig.mmu.age(one, clearing: false) == 1, "hardware has set A again")
    #expect(rig.mmu.unmapHost(one) == 2)
    #expect(rig.mmu.audit() == [])
    #expect(rig.access(.read, 0x5000).exits.total == 0)
    #expect(rig.access(.read, 0x4000).exits[.shadowPageFault] == 1)
    #expect(rig.mmu.unmapHost(GFN(0)..<GFN(1 << 40)) == 2)
    #expect(rig.mmu.unmapHost(GFN(0x300)..<GFN(0x300)) == 0)
    #expect(rig.mmu.audit() == [])
  }

  @Test("E5 the repair of a logged page is a fault that walks the guest's tables again")
  func noLocklessRepair() throws {
    let rig = try Self.rig()
    _ = rig.access(.write, 0x4000, value: 1)
    try rig.mmu.startDirtyLog(
      slot: 0, .writeProtect, isInitiallySet: false, usesRings: false, splitBudget: 0)
    rig.poke(rig.place(0x4000), 0x20_0065)
    let report = rig.access(.write, 0x4000, value: 2)
    guard case .injected(14, 3) = report.outcome else {
      Issue.record("the guest took W away meanwhile, and the write went through")
      return
    }
    #expect(rig.machine.counters.repaired == 0)
    #expect(try Self.pages(rig).contains(0x200) == false)
  }
}
