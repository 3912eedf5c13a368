import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT

@Suite("A hypervisor's writes across pages that meet a flush")
struct NestedCrossingWriteTests {
  @Test(
    "F6 F15 the lower part of a write is in its table before an INVEPT that comes meanwhile reads it",
    .timeLimit(.minutes(15)))
  func lowerPart() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    let last: UInt64 = 511 << 12
    #expect(NestedOutcome(rig.access(.write, last)) == .memory(GPA(0x20_0000 + last)))
    let table = rig.entry(0, level: 1)
    let gate = Gate()
    let machine = try Machine(
      guests: [rig.machine.vcpus[0].guest], mmu: GatedMMU(rig.mmu, gate))
    // The tables map the page above, and the TLB of this machine's vCPU has the leaf table alone.
    rig.hypervisorWrites(table + 0x1000, 0)
    let first = machine.vcpu(
      0, access: X86Access(.write), at: GVA(table), size: 8, value: UInt128(rig.peek(table)))
    #expect(first.value == UInt128(rig.peek(table)))
    #expect(machine.counters.unsynced == 1)
    gate.arm(.walk) { [machine = rig.machine] in
      _ = machine.vcpu(1, invalidateSecondLevel: nil)
    }
    // The high half of the last entry leads 4 GiB higher.
    let report = machine.vcpu(
      0, access: X86Access(.write), at: GVA(table + 0xffc), size: 8, value: 1)
    #expect(report.value == 1)
    #expect(gate.finish(), "vCPU 1 has flushed")
    #expect(rig.mmu.audit() == [])
    #expect(rig.machine.vcpu(1, invalidateSecondLevel: nil))
    #expect(
      NestedOutcome(rig.access(.read, last)) == .mmio(GPA(0x1_0020_0000 + last)),
      "where no slot is")
  }
}
