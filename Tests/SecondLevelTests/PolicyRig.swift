import MMU
import Machine
import MachineSupport
import Paging
import X86
import X86Guest

/// A four-level guest whose pages are mapped one to one from GVA 0x40000000 to GPA 2 MiB, on 16 MiB of
/// RAM in large host pages, under a policy.
///
/// Threads may share it: the guest's tables are written before they start.
struct PolicyRig<Encoder: SPTEEncoder, Policy: MMUPolicy>: @unchecked Sendable
where
  Encoder.Format: SecondLevelFormat, Encoder.Format.Fault: SecondLevelExit,
  Encoder.Format.Root == TableRoot
{
  static var base: UInt64 { 0x4000_0000 }
  static var gpa: UInt64 { 0x20_0000 }
  let memory: GuestMemory
  let mmu: TDPMMU<Encoder, Policy>
  let machine: Machine<X86Processor, TDPMMU<Encoder, Policy>, NoObserver>
  let tables: GuestTables

  init(
    _ encoder: Encoder, _ policy: Policy, backing: PageSize = .size2MiB, tablePages: Int = 3000,
    vcpus: Int = 1, pages: UInt64 = 2048, nxHugePages: Bool = false
  ) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 64 << 20))
    try memory.update { table throws(MemslotError) in
      try table.adding(Memslot.ram(backing: backing))
    }
    mmu = try TDPMMU(
      encoder: encoder, policy: policy, memory: memory,
      pool: TablePool(first: PFN(16), limit: tablePages), nxHugePages: nxHugePages)
    tables = GuestTables(in: memory, root: GPA(0x10_0000))
    for page in 0..<pages { tables.map(Self.base + page << 12, to: Self.gpa + page << 12) }
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
  func access(
    _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(vcpu, access: X86Access(kind), at: GVA(gva), size: size, value: value)
  }

  /// One access to a page, counted from `gpa`.
  func access(_ kind: AccessKind, page: UInt64, value: UInt128 = 0) -> AccessReport<X86Fault> {
    access(kind, Self.base + page << 12, value: value)
  }

  /// The second level's entry of a page, counted from `gpa`, and its level.
  func entry(page: UInt64) -> (spte: SPTE, level: Level)? {
    var steps = Recording(Probe())
    let format = mmu.encoder.format
    let access = format.finalAccess(.read, isUser: false, for: GVA(0))
    _ = Walker(format).walk(
      GPA(Self.gpa + page << 12), for: access,
      at: mmu.encoder.root(machine.vcpus[0].mmuState.root.baseAddress), in: memory.host.view,
      &steps)
    return steps.steps.last.map { (SPTE($0.entry), $0.level) }
  }
}
