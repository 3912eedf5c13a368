import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT

@Suite("Faults by kind of slot")
struct SlotFaultTests {
  @Test("F3 a read-only slot: a write is MMIO, a read maps host-read-only")
  func readOnly() throws {
    let rom = Memslot(
      id: 1, base: GFN(0x40000), frameCount: 1, host: HPA(32 << 20), flags: .readOnly)
    let rig = try MachineRig(slots: [.ram, rom])
    rig.tables.map(0x4000, to: MMIOTests.device)
    #expect(rig.access(.write, 0x4000, value: 1).mmio != nil)
    #expect(rig.access(.read, 0x4000).hpa == HPA(32 << 20))
    let leaf = try #require(rig.leaf(MMIOTests.device))
    #expect(leaf.entry >> 57 & 3 == 0, "neither host-writable nor MMU-writable")
    #expect(leaf.entry & 7 == 5)
    let write = rig.access(.write, 0x4000, value: 1)
    #expect(write.mmio != nil)
    #expect(write.exits[.eptViolation] == 1)
    #expect(rig.access(.read, 0x4000).value == 0)
  }

  @Test("F3 a slot that nothing backs ends the access with its frame")
  func unbacked() throws {
    let hollow = Memslot(id: 1, base: GFN(0x40000), frameCount: 1, host: nil)
    let beyond = Memslot(id: 2, base: GFN(0x50000), frameCount: 1, host: HPA(1 << 40))
    let rig = try MachineRig(slots: [.ram, hollow, beyond])
    rig.tables.map(0x4000, to: MMIOTests.device)
    rig.tables.map(0x7000, to: 0x5000_0000)
    let report = rig.access(.read, 0x4000)
    #expect(report.failure == .unbacked(GFN(0x40000)))
    #expect(report.exits[.error] == 1)
    #expect(rig.access(.write, 0x7000).failure == .unbacked(GFN(0x50000)))
  }

  @Test("W14 a guest table in no memslot is a page fault with P=0", arguments: [1, 2, 3, 4])
  func tableInHole(level: Int) throws {
    let rig = try MachineRig()
    if level == 4 {
      try rig.machine.vcpu(0, moveToCR3: MMIOTests.device)
    } else {
      rig.tables.poke(rig.tables.place(0x4000, level: level + 1), MMIOTests.device | 7)
    }
    for _ in 0..<3 {
      let report = rig.access(.write, 0x4000, user: true)
      #expect(report.fault?.vector == 14)
      #expect(report.fault?.errorCode == [.write, .user])
      #expect(report.fault?.address == GVA(0x4000))
      #expect(report.mmio == nil)
    }
    #expect(rig.machine.vcpus[0].faults == [14: 3])
  }

  @Test("W11 guest tables in a read-only slot: the access goes through, the bits stay unset")
  func readOnlyTables() throws {
    let rom = Memslot(
      id: 1, base: GFN(0x40000), frameCount: 16, host: HPA(32 << 20), flags: .readOnly)
    for isOn in [true, false] {
      let rig = try MachineRig(
        slots: [.ram, rom],
        capabilities: EPTCapabilities(physicalAddressWidth: 46, accessedDirty: isOn),
        tableRoot: MMIOTests.device)
      rig.tables.map(0x4000, to: 0x5000)
      rig.tables.map(0x7000, to: MMIOTests.device)
      rig.tables.map(0x8000, to: 0x7000_0000)
      #expect(rig.access(.write, 0x4000, value: 0xABCD).hpa == HPA(16 << 20 | 0x5000))
      #expect(rig.access(.read, 0x4000).value == 0xABCD)
      #expect(rig.tables.peek(rig.tables.place(0x4000, level: 1)) == 0x5007)
      // The tables seen through themselves: reads are memory, writes are MMIO.
      #expect(rig.access(.read, 0x7000).value.map { $0 & 7 } == 7)
      #expect(rig.access(.write, 0x7000, value: 0).mmio != nil)
      #expect(rig.access(.read, 0x8000).mmio != nil)
    }
  }
}
