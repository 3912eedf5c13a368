import Machine
import MachineSupport
import Testing
import X86
import X86Guest

@Suite("Moves to control registers")
struct RegisterMoveTests {
  @Test("W1 MOV CR3 refuses bits past the address, bit 63 without PCIDE")
  func cr3() throws {
    let rig = try MachineRig()
    for bit in [46, 51, 52, 60, 63] as [UInt64] {
      #expect(throws: RegisterFault.reservedBits(1 << bit)) {
        try rig.machine.vcpu(0, moveToCR3: 0x10_0000 | 1 << bit)
      }
    }
    try rig.machine.vcpu(0, moveToCR3: 0x10_0018 | 1 << 61)
    #expect(rig.machine.vcpus[0].guest.registers.cr3 == 0x10_0018 | 1 << 61)
  }

  @Test("MOV CR0 refuses paging without protection, NW without CD, long mode without PAE")
  func cr0() throws {
    let rig = try MachineRig {
      $0.cr0 = [.protectionEnable]
      $0.cr4 = []
      $0.efer = [.longModeEnable]
    }
    let illegal: [(CR0, UInt64)] = [
      ([.paging], 1 << 31), ([.protectionEnable, .notWriteThrough], 1 << 29),
      ([.protectionEnable, .paging], 1 << 31),
    ]
    for (value, bits) in illegal {
      #expect(throws: RegisterFault.illegalBits(bits)) {
        try rig.machine.vcpu(0, moveToCR0: value)
      }
      #expect(rig.machine.vcpus[0].guest.registers.cr0 == [.protectionEnable])
    }
    try rig.machine.vcpu(0, moveToCR4: [.physicalAddressExtension])
    try rig.machine.vcpu(0, moveToCR0: [.protectionEnable, .paging])
    #expect(rig.machine.vcpus[0].guest.registers.mode == .long4)
  }

  @Test("MOV CR4 in long mode keeps PAE and LA57; PCIDE needs long mode and a clear PCID")
  func cr4() throws {
    let rig = try MachineRig()
    for bit: CR4 in [.physicalAddressExtension, .linearAddress57] {
      #expect(throws: RegisterFault.illegalBits(bit.rawValue)) {
        let now = rig.machine.vcpus[0].guest.registers.cr4
        try rig.machine.vcpu(0, moveToCR4: now.symmetricDifference(bit))
      }
    }
    let pcide: CR4 = [.physicalAddressExtension, .processContextIdentifiers]
    try rig.machine.vcpu(0, moveToCR3: 0x10_0008)
    #expect(throws: RegisterFault.illegalBits(1 << 17)) {
      try rig.machine.vcpu(0, moveToCR4: pcide)
    }
    try rig.machine.vcpu(0, moveToCR3: 0x10_0000)
    try rig.machine.vcpu(0, moveToCR4: pcide)
    #expect(throws: RegisterFault.illegalBits(1 << 31)) {
      try rig.machine.vcpu(0, moveToCR0: [.protectionEnable])
    }
  }
}
