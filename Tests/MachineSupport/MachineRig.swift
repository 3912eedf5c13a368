package import MMU
package import Machine
package import Paging
package import X86
package import X86EPT
package import X86Guest

/// A machine for tests: a four-level guest behind EPT, its tables in guest memory.
///
/// Host memory is 64 MiB: table pages from frame 16, guest RAM from frame 4096 (16 MiB).
package struct MachineRig<Policy: MMUPolicy> {
  package typealias MMUType = TDPMMU<EPTEncoder, Policy>
  package let memory: GuestMemory
  package let pool: TablePool
  package let mmu: MMUType
  package let log = EventLog()
  package let machine: Machine<X86Processor, MMUType, EventLog>
  package let tables: GuestTables

  package init(
    policy: Policy, slots: [Memslot] = [.ram],
    capabilities: EPTCapabilities = EPTCapabilities(physicalAddressWidth: 46),
    mmio: MMIOMask? = .ept, tablePages: Int = 1000, vcpus: Int = 1,
    tlb: TLBGeometry = .standard, generation: UInt64 = 1, tableRoot: UInt64 = 0x10_0000,
    registers: (inout X86Registers) -> Void = { _ in }
  ) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 64 << 20), generation: generation)
    try memory.update { table throws(MemslotError) in
      var table = table
      for slot in slots { table = try table.adding(slot) }
      return table
    }
    pool = TablePool(first: PFN(16), limit: tablePages)
    mmu = try TDPMMU(
      encoder: try EPTEncoder(capabilities, mmio: mmio), policy: policy, memory: memory,
      pool: pool)
    tables = GuestTables(in: memory, root: GPA(tableRoot))
    var state = X86Registers(
      cr0: [.protectionEnable, .writeProtect, .paging], cr3: tableRoot,
      cr4: [.physicalAddressExtension],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    registers(&state)
    let features = X86Features(physicalAddressWidth: capabilities.physicalAddressWidth)
    let guests = (0..<vcpus).map { _ in X86Processor(state, features) }
    machine = try Machine(guests: guests, mmu: mmu, tlb: tlb, observer: log)
  }

  /// One access of vCPU 0.
  package func access(
    _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0, user: Bool = false,
    vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(
      vcpu, access: X86Access(kind, user: user), at: GVA(gva), size: size, value: value)
  }

  /// The raw leaf of the second level that covers an address, `nil` where a walk finds none.
  package func leaf(_ gpa: UInt64, vcpu: Int = 0) -> (entry: UInt64, level: Int)? {
    var steps = Recording(Probe())
    let walker = Walker(mmu.encoder.format)
    guard
      case .success(let found) = walker.walk(
        GPA(gpa), for: EPTAccess(.read, reported: 1, isFinal: true, gva: nil),
        at: mmu.encoder.root(root(vcpu).baseAddress), in: memory.host.view, &steps)
    else { return nil }
    return (found.leaf, found.level.rawValue)
  }

  /// The root table in force.
  package var currentRoot: PFN {
    guard var context = try? mmu.makeCPU(index: -1) else { return PFN(0) }
    defer { mmu.leave(&context) }
    return context.root
  }

  /// The root table a vCPU uses.
  package func root(_ vcpu: Int = 0) -> PFN { machine.vcpus[vcpu].mmuState.root }
}

extension MachineRig where Policy == DefaultPolicy {
  package init(
    slots: [Memslot] = [.ram],
    capabilities: EPTCapabilities = EPTCapabilities(physicalAddressWidth: 46),
    mmio: MMIOMask? = .ept, tablePages: Int = 1000, vcpus: Int = 1,
    tlb: TLBGeometry = .standard, generation: UInt64 = 1, tableRoot: UInt64 = 0x10_0000,
    registers: (inout X86Registers) -> Void = { _ in }
  ) throws {
    try self.init(
      policy: DefaultPolicy(), slots: slots, capabilities: capabilities, mmio: mmio,
      tablePages: tablePages, vcpus: vcpus, tlb: tlb, generation: generation,
      tableRoot: tableRoot, registers: registers)
  }
}

extension Memslot {
  /// 16 MiB of RAM from guest address 0, backed by 4 KiB pages.
  package static var ram: Memslot { ram(backing: .size4KiB) }

  /// 16 MiB of RAM from guest address 0.
  package static func ram(backing: PageSize, flags: Flags = []) -> Memslot {
    Memslot(
      id: 0, base: GFN(0), frameCount: 4096, host: HPA(16 << 20), flags: flags, backing: backing)
  }
}

extension AccessReport {
  /// The value of an access that was done.
  package var value: UInt128? {
    if case .done(let value) = outcome { return value }
    return nil
  }

  /// Why an access could not go on.
  package var failure: FaultError? {
    if case .failed(let error) = outcome { return error }
    return nil
  }

  /// The exception that the guest's tables caused.
  package var fault: Fault? {
    if case .fault(let fault) = outcome { return fault }
    return nil
  }
}
