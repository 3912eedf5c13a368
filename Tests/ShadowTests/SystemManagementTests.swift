import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86

@Suite("System-management mode on shadow tables")
struct SystemManagementTests {
  private static let smram: UInt64 = 0x3000_0000

  /// A guest without paging, whose tables in and outside of the mode differ in the memslots alone.
  private func makeRig() throws -> ShadowRig {
    let slot = Memslot(
      id: 9, base: GPA(Self.smram).frame, frameCount: 16, host: HPA(48 << 20), backing: .size4KiB)
    return try ShadowRig(.none, vcpus: 2, management: [slot])
  }

  @Test(
    "F4 T2 what is mapped in system-management mode is mapped for nobody else, nor the other way")
  func apart() throws {
    let rig = try makeRig()
    #expect(rig.access(.read, Self.smram).mmio != nil)
    #expect(rig.access(.write, 0x4000, value: 7).mmio == nil)
    #expect(rig.machine.vcpuEntersSystemManagement(0))
    #expect(rig.access(.write, Self.smram, value: 0x5EC2E7).mmio == nil)
    #expect(rig.access(.read, Self.smram).value == 0x5EC2E7)
    #expect(rig.access(.read, 0x4000).value == 7)
    // The other vCPU is where it was, at the same time.
    let outside = rig.access(.read, Self.smram, vcpu: 1)
    #expect(outside.mmio != nil && outside.value != 0x5EC2E7)
    #expect(rig.mmu.audit() == [])
    #expect(rig.machine.vcpuLeavesSystemManagement(0))
    #expect(rig.access(.read, Self.smram).mmio != nil)
    #expect(rig.access(.read, 0x4000).value == 7)
    #expect(rig.machine.vcpuEntersSystemManagement(1))
    let inside = rig.access(.read, Self.smram, vcpu: 1)
    #expect(inside.value == 0x5EC2E7 && inside.mmio == nil)
    #expect(rig.mmu.audit() == [])
  }

  @Test("F2 T2 MMIO entries keep to the generation of their own space")
  func generations() throws {
    let rig = try makeRig()
    let device: UInt64 = 0x5000_0000
    for isInside in [false, true] {
      if isInside { #expect(rig.machine.vcpuEntersSystemManagement(0)) }
      #expect(rig.access(.read, device).mmio != nil)
      let before = rig.machine.counters
      #expect(rig.access(.read, device).mmio != nil)
      #expect(rig.machine.counters.memslotSearches == before.memslotSearches)
      #expect(rig.machine.counters.mmioCached == before.mmioCached + 1)
      #expect(rig.machine.counters.mmioStale == before.mmioStale)
    }
    // A slot where the device was, for the mode alone: outside the entry is as good as before.
    let slot = Memslot(
      id: 10, base: GPA(device).frame, frameCount: 1, host: HPA(50 << 20), backing: .size4KiB)
    try rig.memory.updateManagement { table throws(MemslotError) in try table.adding(slot) }
    #expect(rig.access(.write, device, value: 3).mmio == nil)
    #expect(rig.machine.vcpuLeavesSystemManagement(0))
    #expect(rig.access(.read, device).mmio != nil)
    #expect(rig.mmu.audit() == [])
  }

  @Test("T2 a machine without the mode has no such space")
  func none() throws {
    let rig = try ShadowRig(.none)
    #expect(!rig.machine.vcpuEntersSystemManagement(0))
    #expect(rig.access(.write, 0x4000, value: 7).mmio == nil)
  }
}
