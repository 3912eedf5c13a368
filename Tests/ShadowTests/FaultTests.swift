import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86Shadow

@Suite("Shadow faults")
struct ShadowFaultTests {
  static func isInjected(_ report: AccessReport<X86Fault>, _ code: UInt32) -> Bool {
    if case .injected(14, code) = report.outcome { return true }
    return false
  }

  @Test(
    "F1 F4 one exit maps a page in every mode, and a second access has none",
    arguments: [X86Mode.none, .legacy32, .pae, .long4, .long5])
  func oneExit(mode: X86Mode) throws {
    let rig = try ShadowRig(mode)
    let gva: UInt64 = mode == .none ? 0x20_0000 : 0x4000
    if mode != .none { rig.map(gva, to: 0x20_0000) }
    let first = rig.access(.write, gva + 8, value: 42)
    #expect(first.exits[.shadowPageFault] == 1)
    #expect(first.gpa == GPA(0x20_0008))
    #expect(first.hpa == HPA(16 << 20 | 0x20_0008))
    #expect(rig.access(.read, gva + 8).value == 42)
    #expect(rig.access(.read, gva + 8).isTLBHit)
    rig.machine.vcpu(0, invalidatePage: GVA(gva))
    #expect(rig.access(.read, gva + 8).exits.total == 0, "the shadow has it")
    #expect(rig.machine.counters.fixed == 1)
    #expect(rig.mmu.audit() == [])
  }

  @Test("F5 a 32-bit directory takes four shadow pages, a table two, a 4 MiB page two entries")
  func quadrants() throws {
    let rig = try ShadowRig(.legacy32, slots: [.ram(backing: .size2MiB)])
    for gigabyte: UInt64 in 0..<4 { rig.map(gigabyte << 30 | 0x4000, to: 0x20_0000) }
    rig.map(0x20_4000, to: 0x20_1000)
    for gva: UInt64 in [0x4000, 0x4000_4000, 0x8000_4000, 0xC000_4000, 0x20_4000] {
      #expect(rig.access(.read, gva).value != nil)
    }
    var shadowed: [Level: Int] = [:]
    for case .tableShadowed(let level, _) in rig.log.drain() { shadowed[level, default: 0] += 1 }
    #expect(shadowed == [.directory: 4, .pageTable: 5])
    rig.map(0x40_0000, to: 0x80_0000, level: 2)
    for half: UInt64 in 0..<2 {
      let gva = 0x40_0000 + half << 21 + 0x1234
      #expect(rig.access(.write, gva, value: 1).gpa == GPA(0x80_1234 + half << 21))
      #expect(rig.leaf(gva)?.level == 2)
      #expect(rig.access(.write, gva, value: 1).exits.total == 0)
    }
    #expect(rig.mmu.audit() == [])
  }

  @Test("F12 a guest's large page on small backing is a run of small entries with its rights")
  func largeOnSmall() throws {
    let rig = try ShadowRig(.long4)
    rig.map(0x20_0000, to: 0x40_0000, flags: 5, level: 2)
    #expect(rig.access(.read, 0x20_3000, user: true).gpa == GPA(0x40_3000))
    #expect(rig.leaf(0x20_3000)?.level == 1)
    #expect(Self.isInjected(rig.access(.write, 0x20_3000, user: true), 7))
    // The entry becomes writable: the run is made anew with its rights.
    rig.poke(rig.place(0x20_0000, level: 2), 0x40_0087)
    #expect(rig.access(.write, 0x20_3000, value: 7, user: true).value == 7)
    #expect(rig.peek(rig.place(0x20_0000, level: 2)) & 0x60 == 0x60)
    #expect(rig.mmu.audit() == [])
  }

  @Test("F11 F12 a large page is mapped large unless a table lies in it, whoever comes first")
  func largePages() throws {
    let rig = try ShadowRig(.long4, slots: [.ram(backing: .size2MiB)])
    // The guest's tables are at 1 MiB: this page holds them.
    rig.map(0x20_0000, to: 0, level: 2)
    rig.map(0x40_0000, to: 0x40_0000, level: 2)
    #expect(rig.access(.write, 0x20_5000, value: 1).gpa == GPA(0x5000))
    #expect(rig.leaf(0x20_5000)?.level == 1)
    #expect(rig.access(.write, 0x40_5000, value: 1).gpa == GPA(0x40_5000))
    #expect(rig.leaf(0x40_5000)?.level == 2)
    // A table appears inside the large mapping: writes to it must be seen from now on.
    rig.poke(0x40_3000 + 4 * 8, 0x60_0007)
    rig.poke(rig.place(0x60_0000, level: 2), 0x40_3007)
    #expect(rig.access(.read, 0x60_4000).gpa == GPA(0x60_0000))
    #expect(rig.mmu.audit() == [])
    #expect(rig.access(.write, 0x40_3000 + 4 * 8, value: 0x60_1007).value != nil)
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    #expect(rig.access(.read, 0x60_4000).gpa == GPA(0x60_1000))
    #expect(rig.leaf(0x40_3000)?.level == 1)
    #expect(rig.mmu.audit() == [])
  }

  @Test("E11 an entry whose guest entry has D=0 is not writable, and the first write sets D")
  func dirty() throws {
    let rig = try ShadowRig(.long4)
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    #expect((rig.leaf(0x4000)?.spte.rawValue ?? 2) & 2 == 0)
    #expect(rig.peek(rig.place(0x4000)) & 0x60 == 0x20)
    #expect(rig.access(.write, 0x4000, value: 1).exits[.shadowPageFault] == 1)
    #expect(rig.peek(rig.place(0x4000)) & 0x60 == 0x60)
    #expect((rig.leaf(0x4000)?.spte.rawValue ?? 0) & 0x67 == 0x67)
  }

  @Test("E11 with CR0.WP=0 a supervisor's write makes a read-only user page the kernel's own")
  func writeProtectOff() throws {
    let rig = try ShadowRig(.long4) {
      $0.cr0.remove(.writeProtect)
      $0.cr4.insert(.supervisorExecutionPrevention)
    }
    rig.map(0x4000, to: 0x20_0000, flags: 5)
    #expect(rig.access(.write, 0x4000, value: 9).value == 9)
    let spte = rig.leaf(0x4000)?.spte.rawValue ?? 0
    #expect(spte & 6 == 2, "W without U")
    #expect(spte >> 63 == 1, "SMEP: and NX, since it poses as a kernel page")
    #expect(rig.access(.read, 0x4000, user: true).value == 9)
    #expect((rig.leaf(0x4000)?.spte.rawValue ?? 0) & 6 == 4, "derived anew for the user")
    #expect(Self.isInjected(rig.access(.write, 0x4000, user: true), 7))
    #expect(Self.isInjected(rig.access(.fetch, 0x4000), 0x11))
    #expect(rig.mmu.audit() == [])
    // WP on again: another role, and the write is refused.
    _ = rig.access(.write, 0x4000, value: 10)
    try rig.machine.vcpu(0, moveToCR0: [.protectionEnable, .paging, .writeProtect])
    #expect(Self.isInjected(rig.access(.write, 0x4000), 3))
    #expect(rig.mmu.audit() == [])
  }

  @Test("W9 E11 SMAP is judged at every access, also where CR0.WP=0 lets the kernel write")
  func smap() throws {
    let rig = try ShadowRig(.long4) {
      $0.cr0.remove(.writeProtect)
      $0.cr4.insert(.supervisorAccessPrevention)
    }
    rig.map(0x4000, to: 0x20_0000, flags: 5)
    #expect(rig.access(.write, 0x4000, value: 9, alignmentCheck: true).value == 9)
    #expect(Self.isInjected(rig.access(.read, 0x4000), 1))
    #expect(rig.access(.read, 0x4000, alignmentCheck: true).value == 9)
    #expect(Self.isInjected(rig.access(.write, 0x4000), 3))
  }

  @Test("W10 protection keys are copied and judged by the guest's own PKRU, without an exit")
  func protectionKeys() throws {
    let rig = try ShadowRig(.long4) { $0.cr4.insert(.userProtectionKeys) }
    rig.map(0x4000, to: 0x20_0000, flags: 0x67 | 5 << 59)
    #expect(rig.access(.read, 0x4000, user: true).value != nil)
    rig.machine.vcpu(0, moveToPKRU: 1 << 10)
    #expect(Self.isInjected(rig.access(.read, 0x4000, user: true), 0x25))
    rig.machine.vcpu(0, moveToPKRU: 0)
    #expect(rig.access(.read, 0x4000, user: true).exits.total == 0)
  }

  @Test("F9 neighbours that the guest has used are mapped too, A clear, up to the first unusable")
  func prefetch() throws {
    let rig = try ShadowRig(.long4)
    for page in 8..<16 as Range<UInt64> {
      let isUsed = page != 12
      rig.map(page << 12, to: 0x20_0000 + page << 12, flags: isUsed ? 0x67 : 0x47)
    }
    _ = rig.access(.read, 9 << 12)
    #expect(rig.machine.counters.prefetched == 3)
    for page in 8..<12 as Range<UInt64> {
      let spte = rig.leaf(page << 12)?.spte.rawValue ?? 0
      #expect(spte & 1 == 1)
      #expect(spte & 0x20 == (page == 9 ? 0x20 : 0))
      #expect(rig.access(.write, page << 12).exits.total == 0)
    }
    for page in 12..<16 as Range<UInt64> {
      #expect(rig.leaf(page << 12)?.spte == rig.mmu.encoder.layout.nonPresent)
    }
    #expect(rig.mmu.audit() == [])
  }

  @Test("F10 a range that the host takes away is unmapped, and faults on it wait")
  func notifier() throws {
    let rig = try ShadowRig(.long4)
    rig.map(0x4000, to: 0x20_0000)
    rig.map(0x5000, to: 0x20_1000)
    for gva: UInt64 in [0x4000, 0x5000] { _ = rig.access(.read, gva) }
    rig.mmu.unmapHost(GFN(0x200)..<GFN(0x201)) {
      #expect(rig.leaf(0x4000)?.spte == rig.mmu.encoder.layout.nonPresent)
      #expect(rig.access(.read, 0x4000).failure != nil, "it tries again until the budget ends")
      #expect(rig.access(.read, 0x5000).exits.total == 0)
    }
    #expect(rig.access(.read, 0x4000).value != nil)
    #expect(rig.mmu.audit() == [])
  }
}
