import MMU
import Machine
import MachineSupport
import Paging
import ShadowProperty
import Testing
import X86

@Suite("Shadow paging with layouts of other years")
struct ShadowNamedLayoutTests {
  static func guestFault(_ report: AccessReport<X86Fault>) -> UInt32? {
    report.fault.map(\.errorCode.rawValue)
  }

  @Test(
    "E19 where the guest's entry is not present its #PF reaches it without an exit",
    arguments: [X86Mode.pae, .long4, .long5])
  func noTrap(mode: X86Mode) throws {
    for layout in [NamedLayout.standard, .trap2008] {
      let rig = try ShadowRig(mode, layout: layout)
      let isLeft = layout == .trap2008
      rig.map(0x4000, to: 0x20_0000)
      #expect(rig.access(.read, 0x4000).exits[.shadowPageFault] == 1, "an empty entry traps")
      // Behind the leaf table, and behind the directory.
      for gva: UInt64 in [0x5000, 0x20_0000] {
        for (kind, user, code) in [
          (AccessKind.read, false, 0), (.write, false, 2), (.read, true, 4), (.write, true, 6),
          (.fetch, false, 0x10), (.fetch, true, 0x14),
        ] as [(AccessKind, Bool, UInt32)] {
          let report = rig.access(kind, gva, user: user)
          #expect(report.exits.total == (isLeft ? 0 : 1), "\(kind) of \(gva)")
          if isLeft {
            #expect(Self.guestFault(report) == code)
            #expect(report.fault?.address == GVA(gva))
          } else {
            #expect(ShadowFaultTests.isInjected(report, code))
          }
        }
      }
      #expect(rig.machine.vcpus[0].exits[.shadowPageFault] == (isLeft ? 1 : 13))
      // A mapping that appears needs no flush, and one that goes is the guest's again.
      rig.map(0x5000, to: 0x20_1000)
      #expect(rig.access(.read, 0x5000).gpa == GPA(0x20_1000))
      rig.poke(rig.place(0x5000), 0)
      rig.machine.vcpu(0, invalidatePage: GVA(0x5000))
      let gone = rig.access(.read, 0x5000)
      #expect(gone.exits[.shadowPageFault] == (isLeft ? 0 : 1))
      #expect(gone.value == nil)
      // A refusal that is not for want of an entry is the host's to judge.
      rig.poke(rig.place(0x4000), 0x20_0005)
      #expect(ShadowFaultTests.isInjected(rig.access(.write, 0x4000), 3))
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test(
    "E19 F6 before a table goes out of step its empty entries trap; in step they are the guest's")
  func unsync() throws {
    let rig = try ShadowRig(options: ShadowOptions(prefetchWindow: 1), layout: .trap2008)
    rig.mapWindow(at: 0x4000_0000, pages: 64)
    rig.map(0x4000, to: 0x20_0000)
    let place = rig.place(0x4000)
    let window = 0x4000_0000 + place - 0x10_0000
    _ = rig.access(.read, 0x4000)
    #expect(rig.access(.read, 0x5000).exits.total == 0)
    _ = rig.access(.write, window + 16, value: 0)
    #expect(rig.machine.counters.unsynced == 1)
    #expect(rig.access(.write, window + 8, value: 0x20_1067).exits.total == 0, "unseen")
    let report = rig.access(.read, 0x5000)
    #expect(report.gpa == GPA(0x20_1000) && report.exits[.shadowPageFault] == 1)
    #expect(ShadowFaultTests.isInjected(rig.access(.read, 0x6000), 0), "it traps")
    #expect(rig.mmu.audit() == [])
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    #expect(rig.machine.counters.synced == 1)
    let left = rig.access(.read, 0x6000)
    #expect(left.exits.total == 0 && Self.guestFault(left) == 0)
    #expect(rig.mmu.audit() == [])
  }

  @Test("E19 W7 where the error code would differ nothing is left to the guest")
  func fetchBit() throws {
    for mode in [X86Mode.legacy32, .long4] {
      let rig = try ShadowRig(mode, layout: .trap2008) { $0.efer.remove(.noExecuteEnable) }
      rig.map(0x4000, to: 0x20_0000)
      _ = rig.access(.read, 0x4000)
      #expect(ShadowFaultTests.isInjected(rig.access(.fetch, 0x5000), 0), "no I without NXE")
    }
    let rig = try ShadowRig(.none, layout: .trap2008)
    #expect(rig.access(.read, 0x4000).exits[.shadowPageFault] == 1)
    #expect(rig.access(.read, 0x4000_0000).mmio != nil, "MMIO is found, and not cached")
    #expect(rig.machine.counters.mmioCached == 0)
    #expect(rig.mmu.audit() == [])
  }

  @Test("E7 without a generation each change of the memslots zaps all, and MMIO is found anew")
  func noGeneration() throws {
    for width in [46, 52] {
      let rig = try ShadowRig(width: width, layout: .mmio2011)
      rig.map(0x4000, to: 0x4000_0000)
      rig.map(0x5000, to: 0x4000_1000)
      for _ in 0..<2 {
        for gva: UInt64 in [0x4000, 0x5000] { #expect(rig.access(.read, gva).mmio != nil) }
      }
      #expect(rig.machine.counters.mmioSearched == (width == 46 ? 2 : 4), "at 52 bits P is clear")
      try rig.memory.update { table throws(MemslotError) in
        try table.adding(
          Memslot(id: 3, base: GFN(0x4_0000), frameCount: 1, host: HPA(40 << 20)))
      }
      let report = rig.access(.write, 0x4000, value: 5)
      #expect(report.mmio == nil && report.hpa == HPA(40 << 20))
      #expect(rig.access(.read, 0x5000).mmio != nil)
      #expect(rig.machine.counters.mmioStale == 0)
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("E17 with encrypted memory every entry that hardware walks has the C-bit, MMIO has not")
  func encrypted() throws {
    let rig = try ShadowRig(width: 43, layout: .encrypted)
    rig.map(0x4000, to: 0x20_0000)
    rig.map(0x5000, to: 0x4000_0000)
    #expect(rig.access(.write, 0x4000, value: 7).hpa == HPA(16 << 20 | 0x20_0000))
    #expect((rig.leaf(0x4000)?.spte.rawValue ?? 0) & 1 << 47 != 0)
    #expect(rig.access(.read, 0x5000).mmio != nil)
    #expect((rig.leaf(0x5000)?.spte.rawValue ?? .max) & 1 << 47 == 0)
    // The guest's processor encrypts nothing: the bit is reserved to it.
    rig.map(0x6000, to: 1 << 47)
    #expect(ShadowFaultTests.isInjected(rig.access(.read, 0x6000), 9))
    #expect(rig.mmu.audit() == [])
  }

  @Test(
    "E7 E17 E19 a random guest sees what its tables say whatever the layout",
    arguments: [NamedLayout.trap2008, .mmio2011, .encrypted],
    [X86Mode.legacy32, .pae, .long4, .long5])
  func randomGuest(layout: NamedLayout, mode: X86Mode) throws {
    let guestCase = GuestCase(mode, tablePages: mode == .long4 ? 14 : 400, vcpus: 2)
    let machine = try guestCase.rig(layout: layout).machine
    var run = PropertyRun(guestCase, seed: 3, operations: 1_000)
    run.makeMachine = { _ in machine }
    let report = try run.run()
    #expect(report.failure == nil, "\(mode), \(layout): \(report.failure?.difference as Any)")
    #expect(report.granted > report.operations / 10)
    let left = machine.vcpus.reduce(0) { $0 + ($1.faults[14] ?? 0) }
    #expect(left > 0)
  }
}
