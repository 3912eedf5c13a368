import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT
import X86Guest

/// A machine with system-management mode: 16 MiB of RAM, and SMRAM at 0x9000000 that the mode alone
/// sees.
private struct SystemManagementRig {
  static let smram: UInt64 = 0x900_0000
  let memory: GuestMemory
  let mmu: TDPMMU<EPTEncoder, DefaultPolicy>
  let machine: Machine<X86Processor, TDPMMU<EPTEncoder, DefaultPolicy>, NoObserver>

  init(
    vcpus: Int = 1, generation: UInt64 = 1, backing: PageSize = .size4KiB,
    mmio: MMIOMask? = .ept
  ) throws {
    memory = GuestMemory(
      host: try HostMemory(byteCount: 64 << 20), generation: generation, hasSystemManagement: true)
    try memory.update { table throws(MemslotError) in try table.adding(.ram(backing: backing)) }
    try memory.updateManagement { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 9, base: GPA(Self.smram).frame, frameCount: 16, host: HPA(40 << 20)))
    }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 44), mmio: mmio),
      policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(16), limit: 400))
    // Paging is off: an address is an address.
    machine = try Machine(
      guests: (0..<vcpus).map { _ in
        X86Processor(X86Registers(cr0: [.protectionEnable]), X86Features(physicalAddressWidth: 40))
      }, mmu: mmu)
  }

  func access(
    _ kind: AccessKind, _ gpa: UInt64, value: UInt128 = 0, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(vcpu, access: X86Access(kind), at: GVA(gpa), size: 8, value: value)
  }
}

@Suite("Two address spaces")
struct AddressSpaceTests {
  @Test("T2 system-management mode sees its own slots beside the others, by a root of its own")
  func ownSlots() throws {
    let rig = try SystemManagementRig(vcpus: 2)
    rig.machine.expect(rig.access(.write, 0x1000, value: 5), 5)
    #expect(rig.access(.write, SystemManagementRig.smram, value: 1).mmio != nil)
    let root = rig.machine.vcpus[0].mmuState.root
    #expect(rig.machine.vcpuEntersSystemManagement(0))
    #expect(rig.machine.isInSystemManagement(vcpu: 0))
    #expect(!rig.machine.vcpuEntersSystemManagement(0), "it is in the mode already")
    let stored = rig.access(.write, SystemManagementRig.smram, value: 7)
    #expect(stored.value == 7 && stored.mmio == nil)
    #expect(rig.machine.vcpus[0].mmuState.root != root)
    rig.machine.expect(rig.access(.read, 0x1000), 5)
    // The other vCPU still finds nobody there.
    #expect(rig.access(.read, SystemManagementRig.smram, vcpu: 1).mmio != nil)
    #expect(rig.mmu.audit() == [])
    #expect(rig.machine.vcpuLeavesSystemManagement(0))
    #expect(!rig.machine.vcpuLeavesSystemManagement(0))
    #expect(rig.access(.read, SystemManagementRig.smram).mmio != nil)
    #expect(rig.access(.read, 0x1000).exits.total == 0, "its old root is kept")
    #expect(rig.mmu.audit() == [])
  }

  @Test("T2 each space has a generation of its own, and no generation is both's")
  func generations() throws {
    let rig = try SystemManagementRig()
    let memory = rig.memory
    #expect(memory.generation & 1 == 0)
    #expect(memory.generation(of: .systemManagement) & 1 == 1)
    let (normal, management) = (memory.generation, memory.generation(of: .systemManagement))
    try memory.updateManagement { table throws(MemslotError) in try table.removing(id: 9) }
    #expect(memory.generation == normal)
    #expect(memory.generation(of: .systemManagement) == management + 2)
    // A slot of all modes is a change of both.
    try memory.update { table throws(MemslotError) in try table.removing(id: 0) }
    #expect(memory.generation == normal + 2)
    #expect(memory.generation(of: .systemManagement) == management + 4)
  }

  @Test("T2 T8 a slot number is one slot's, and a refused change changes nothing")
  func numbers() throws {
    let rig = try SystemManagementRig()
    let slot = Memslot(id: 9, base: GFN(0x8000), frameCount: 1, host: nil)
    #expect(throws: MemslotError.duplicate(id: 9)) {
      try rig.memory.update { table throws(MemslotError) in try table.adding(slot) }
    }
    #expect(rig.memory.slots.slots.count == 1)
    #expect(rig.memory.allSlots.count == 2)
    let plain = GuestMemory(host: try HostMemory(byteCount: 1 << 20))
    #expect(throws: MemslotError.unknownSpace) {
      try plain.updateManagement { table throws(MemslotError) in table }
    }
    #expect(plain.spaces == [.normal])
  }

  /// SMRAM over pages 16 to 19 of RAM, and over its last page and what comes after.
  private static func overlay(_ rig: SystemManagementRig) throws {
    try rig.memory.updateManagement { table throws(MemslotError) in
      try table
        .adding(Memslot(id: 10, base: GFN(16), frameCount: 4, host: HPA(48 << 20)))
        .adding(Memslot(id: 11, base: GFN(4095), frameCount: 2, host: HPA(49 << 20)))
    } invalidate: { _ in
      rig.mmu.invalidateAll()
      rig.mmu.synchronize()
    }
  }

  @Test(
    "T2 one address is other memory in system-management mode, and what is around it is the same")
  func overlay() throws {
    for backing in [PageSize.size4KiB, .size2MiB] {
      let rig = try SystemManagementRig(vcpus: 2, backing: backing)
      try Self.overlay(rig)
      let parts = rig.memory.slots(of: .systemManagement).slots
      #expect(parts.map(\.base.rawValue) == [0, 16, 20, 4095, 0x9000])
      #expect(parts.map(\.frameCount) == [16, 4, 4075, 2, 16])
      #expect(parts[2].offset(of: GFN(21)) == 21)
      for page in [0, 15, 16, 19, 20, 4094, 4095] as [UInt64] {
        rig.machine.expect(
          rig.access(.write, page << 12, value: UInt128(page + 1)), UInt128(page + 1))
      }
      #expect(rig.machine.vcpuEntersSystemManagement(1))
      for page in [0, 15, 20, 4094] as [UInt64] {
        rig.machine.expect(rig.access(.read, page << 12, vcpu: 1), UInt128(page + 1))
      }
      for page in [16, 19, 4095, 4096] as [UInt64] {
        rig.machine.expect(rig.access(.read, page << 12, vcpu: 1), 0)
        rig.machine.expect(rig.access(.write, page << 12, value: 99, vcpu: 1), 99)
      }
      for page in [16, 19, 4095] as [UInt64] {
        rig.machine.expect(rig.access(.read, page << 12), UInt128(page + 1))
      }
      #expect(rig.access(.read, 4096 << 12).mmio != nil)
      #expect(rig.mmu.audit() == [])
      // No large page of the second space may swallow what hides a part of the slot.
      _ = rig.mmu.collapse(in: GFN(0)..<GFN(4096))
      rig.machine.expect(rig.access(.read, 16 << 12, vcpu: 1), 99)
      rig.machine.expect(rig.access(.read, 17 << 12, vcpu: 1), 0)
      rig.machine.expect(rig.access(.read, 16 << 12), 17)
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("T2 T3 a write is in the log of the slot whose memory was written, and in no other's")
  func overlaidLogs() throws {
    for method in DirtyMethod.allCases {
      let rig = try SystemManagementRig(vcpus: 2)
      try Self.overlay(rig)
      try rig.mmu.startDirtyLog(slot: 0, method)
      #expect(rig.machine.vcpuEntersSystemManagement(1))
      // SMRAM's page 16, and page 30 of the slot that both see, behind what is hidden.
      _ = rig.access(.write, 16 << 12, value: 1, vcpu: 1)
      _ = rig.access(.write, 30 << 12, value: 1, vcpu: 1)
      _ = rig.access(.write, 17 << 12, value: 1)
      let words = try rig.mmu.dirtyPages(ofSlot: 0, clearing: true)
      #expect(words[0] == 1 << 17 | 1 << 30, "\(method)")
      // Zapped before anybody looked: what hardware noted is kept, and in the same place.
      _ = rig.access(.write, 31 << 12, value: 1, vcpu: 1)
      _ = rig.access(.write, 18 << 12, value: 1, vcpu: 1)
      rig.mmu.zap(GFN(0)..<GFN(64))
      let after = try rig.mmu.dirtyPages(ofSlot: 0, clearing: true)
      #expect(after[0] == 1 << 31, "\(method)")
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("T2 E6 in the drill, an entry is mistaken by the slots of the vCPU's own space")
  func mistakes() throws {
    var mask = MMIOMask.ept
    mask.generations = MMIOGenerations(bits: 1, zapsAtWrap: false)
    let rig = try SystemManagementRig(vcpus: 2, mmio: mask)
    let probe: UInt64 = 0xA00_0000
    #expect(rig.machine.vcpuEntersSystemManagement(1))
    #expect(rig.access(.read, probe, vcpu: 1).mmio != nil)
    #expect(rig.access(.read, probe).mmio != nil)
    try rig.memory.updateManagement { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 12, base: GPA(probe).frame, frameCount: 1, host: HPA(48 << 20)))
    }
    // Ordinary mode still has no slot there: its entry is right.
    #expect(rig.access(.read, probe).mmio != nil)
    #expect(rig.machine.counters.mmioMistaken == 0)
    // One bit tells no two generations of a space apart.
    #expect(rig.access(.read, probe, vcpu: 1).mmio != nil)
    #expect(rig.machine.counters.mmioMistaken == 1)
  }

  @Test("T2 MMIO that one space has cached means nothing in the other")
  func cachedMMIO() throws {
    let rig = try SystemManagementRig()
    _ = rig.access(.read, SystemManagementRig.smram)
    _ = rig.access(.read, 0xA00_0000)
    #expect(rig.access(.read, SystemManagementRig.smram).mmio != nil)
    #expect(rig.machine.vcpuEntersSystemManagement(0))
    #expect(rig.access(.read, SystemManagementRig.smram).mmio == nil)
    #expect(rig.access(.read, 0xA00_0000).mmio != nil)
    let searched = rig.machine.counters.memslotSearches
    #expect(rig.access(.read, 0xA00_0000).mmio != nil)
    #expect(rig.machine.counters.memslotSearches == searched)
  }

  @Test("T2 a slot that is deleted is gone from all roots at once")
  func deletion() throws {
    let rig = try SystemManagementRig(vcpus: 2)
    rig.machine.expect(rig.access(.write, 0x1000, value: 5), 5)
    #expect(rig.machine.vcpuEntersSystemManagement(1))
    rig.machine.expect(rig.access(.read, 0x1000, vcpu: 1), 5)
    try rig.memory.update { table throws(MemslotError) in
      try table.removing(id: 0)
    } invalidate: { _ in
      rig.mmu.invalidateAll()
      rig.mmu.synchronize()
    }
    #expect(rig.access(.read, 0x1000).mmio != nil)
    #expect(rig.access(.read, 0x1000, vcpu: 1).mmio != nil)
    rig.machine.expect(rig.access(.write, SystemManagementRig.smram, value: 3, vcpu: 1), 3)
    #expect(rig.mmu.audit() == [])
  }

  @Test("T2 E6 when the generations of MMIO entries wrap, no entry of before is believed")
  func wrap() throws {
    // 19 bits; each space's lowest bit is its own, and does not count for the wrap.
    let rig = try SystemManagementRig(generation: (1 << 19) - 6)
    let probe: UInt64 = 0xA00_0000
    #expect(rig.machine.vcpuEntersSystemManagement(0))
    var seen: Set<UInt64> = []
    for _ in 0..<6 {
      #expect(rig.access(.read, probe).mmio != nil)
      seen.insert(rig.memory.generation(of: .systemManagement) >> 19)
      try rig.memory.update { table throws(MemslotError) in table }
    }
    #expect(seen == [0, 1])
    let stale = rig.machine.counters.mmioStale
    // After a wrap the root is a new one: nothing stale is found in it.
    rig.mmu.invalidateAll()
    #expect(rig.access(.read, probe).mmio != nil)
    #expect(rig.machine.counters.mmioStale == stale)
    #expect(rig.mmu.audit() == [])
  }

  @Test("T2 T3 what is written in system-management mode is in the log of a slot that all see")
  func dirtyLog() throws {
    for method in DirtyMethod.allCases {
      let rig = try SystemManagementRig()
      try rig.mmu.startDirtyLog(slot: 0, method)
      #expect(rig.machine.vcpuEntersSystemManagement(0))
      _ = rig.access(.write, 0x3000, value: 1)
      #expect(rig.machine.vcpuLeavesSystemManagement(0))
      let words = try rig.mmu.dirtyPages(ofSlot: 0, clearing: true)
      #expect(words[0] == 1 << 3, "\(method)")
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("T2 a snapshot keeps the mode, its slots and its memory")
  func snapshot() throws {
    let rig = try SystemManagementRig()
    #expect(rig.machine.vcpuEntersSystemManagement(0))
    _ = rig.access(.write, SystemManagementRig.smram, value: 7)
    for tables in MachineSnapshot<X86Processor, TDPMMU<EPTEncoder, DefaultPolicy>>.Tables.allCases {
      let snapshot = try rig.machine.snapshot(tables: tables)
      _ = rig.access(.write, SystemManagementRig.smram, value: 8)
      #expect(rig.machine.vcpuLeavesSystemManagement(0))
      try rig.memory.updateManagement { table throws(MemslotError) in try table.removing(id: 9) }
      try rig.machine.restore(snapshot)
      #expect(rig.machine.isInSystemManagement(vcpu: 0))
      rig.machine.expect(rig.access(.read, SystemManagementRig.smram), 7)
      #expect(rig.mmu.audit() == [])
    }
  }
}

extension Machine {
  /// Expects a value from memory.
  fileprivate func expect(_ report: AccessReport<X86Fault>, _ value: UInt128) {
    #expect(report.value == value && report.mmio == nil)
  }
}
