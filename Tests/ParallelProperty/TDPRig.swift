package import MMU
package import Machine
package import MachineSupport
package import Paging
package import X86
package import X86Guest

/// A four-level guest behind any second level, its tables in guest memory.
///
/// Host memory is 64 MiB: table pages from frame 16, guest RAM from frame 4096 (16 MiB).
package struct TDPRig<Encoder: SPTEEncoder>
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  package typealias MMUType = TDPMMU<Encoder, DefaultPolicy>
  package let memory: GuestMemory
  package let pool: TablePool
  package let mmu: MMUType
  package let machine: Machine<X86Processor, MMUType, NoObserver>
  package let tables: GuestTables

  package init(
    _ encoder: Encoder, backing: PageSize = .size4KiB, tablePages: Int = 3000, vcpus: Int = 1,
    ring: Int? = nil, missing: MissingPages? = nil, slotFlags: Memslot.Flags = [],
    frames: UInt64 = 4096
  ) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 64 << 20))
    try memory.update { table throws(MemslotError) in
      var slot = Memslot.ram(backing: backing, flags: slotFlags)
      slot.missing = missing
      slot.frameCount = frames
      return try table.adding(slot)
    }
    pool = TablePool(first: PFN(16), limit: tablePages)
    mmu = try TDPMMU(
      encoder: encoder, policy: DefaultPolicy(), memory: memory, pool: pool, dirtyRingSize: ring)
    tables = GuestTables(in: memory, root: GPA(0x10_0000))
    let state = X86Registers(
      cr0: [.protectionEnable, .writeProtect, .paging], cr3: 0x10_0000,
      cr4: [.physicalAddressExtension],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    let features = X86Features(
      physicalAddressWidth: min(40, encoder.layout.physicalAddressWidth))
    machine = try Machine(
      guests: (0..<vcpus).map { _ in X86Processor(state, features) }, mmu: mmu)
  }

  /// One access.
  package func access(
    _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(vcpu, access: X86Access(kind), at: GVA(gva), size: size, value: value)
  }

  /// The second level's entry of a frame and its level, as a walk without side effects finds it.
  package func entry(_ gpa: UInt64) -> (spte: SPTE, level: Level)? {
    var steps = Recording(Probe())
    let format = mmu.encoder.format
    let access = format.finalAccess(.read, isUser: false, for: GVA(0))
    _ = Walker(format).walk(
      GPA(gpa), for: access,
      at: mmu.encoder.root(machine.vcpus[0].mmuState.root.baseAddress), in: memory.host.view,
      &steps)
    return steps.steps.last.map { (SPTE($0.entry), $0.level) }
  }
}
