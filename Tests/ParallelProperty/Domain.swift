package import MMU
package import Machine
import MachineSupport
package import Paging
package import X86
package import X86EPT
package import X86Guest
package import X86TDX

/// A trust domain: its guest's tables are private pages that were added before it was finalized.
///
/// Threads may share it.
package struct Domain: Sendable {
  package typealias MMUType = TDXMMU<EPTEncoder, DefaultPolicy>
  package static let shared: UInt64 = 1 << 47
  /// Where the guest has its private pages: frames from 0x200.
  package static let privateBase: UInt64 = 0x4000_0000
  /// Where it has the same frames as shared ones.
  package static let sharedBase: UInt64 = 0x5000_0000
  /// A shared address without a slot.
  package static let hole: UInt64 = 0x6000_0000
  /// Where it has the frames that are never private, from 0x10000: 2 MiB, a slot of their own.
  package static let plainBase: UInt64 = 0x7000_0000
  package let memory: GuestMemory
  package let module = TDXModule(addressing: TDXAddressing(isWide: false))
  package let mmu: MMUType
  package let machine: Machine<X86Processor, MMUType, NoObserver>
  /// Frames that the domain was built with.
  package let built: Range<UInt64> = 0x100..<0x110

  package init(
    busy: Int = 0, vcpus: Int = 1, backing: PageSize = .size4KiB, tablePages: Int = 2000,
    pages: UInt64 = 16, ring: Int? = nil
  ) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 96 << 20))
    var ram = Memslot.ram(backing: backing)
    ram.privateHost = HPA(64 << 20)
    let plain = Memslot(
      id: 1, base: GFN(0x1_0000), frameCount: 512, host: HPA(34 << 20), backing: backing)
    try memory.update { table throws(MemslotError) in try table.adding(ram).adding(plain) }
    let pool = TablePool(first: PFN(16), limit: tablePages)
    let encoder = try EPTEncoder(EPTCapabilities(physicalAddressWidth: 52), mmio: .tdx)
    let half = try TDPMMU(
      encoder: encoder, policy: DefaultPolicy(), memory: memory, pool: pool, dirtyRingSize: ring,
      mapsPrivateMemory: false)
    mmu = try TDXMMU(shared: half, module: module)
    try mmu.convert(ram.base..<ram.end, toPrivate: true)
    // The tables are drawn up in ordinary memory and added page by page.
    let tables = GuestTables(in: memory, root: GPA(0x10_0000))
    for page in 0..<pages {
      tables.map(Self.privateBase + page << 12, to: 0x20_0000 + page << 12)
      tables.map(Self.sharedBase + page << 12, to: 0x20_0000 + page << 12 | Self.shared)
      tables.map(Self.plainBase + page << 12, to: 0x1000_0000 + page << 12 | Self.shared)
    }
    tables.map(Self.hole, to: 0xFEE0_0000 | Self.shared)
    module.makeBusy(calls: busy)
    try mmu.add(GFN(built.lowerBound)..<GFN(built.upperBound))
    try mmu.finalize()
    let registers = X86Registers(
      cr0: [.protectionEnable, .writeProtect, .paging], cr3: 0x10_0000,
      cr4: [.physicalAddressExtension],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    machine = try Machine(
      guests: Array(
        repeating: X86Processor(registers, X86Features(physicalAddressWidth: 52)), count: vcpus),
      mmu: mmu)
  }

  package func access(
    _ kind: AccessKind, _ gva: UInt64, value: UInt128 = 0, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(vcpu, access: X86Access(kind), at: GVA(gva), size: 8, value: value)
  }

  /// Whether the guest got a #VE.
  package static func isVE(_ report: AccessReport<X86Fault>) -> Bool {
    if case .injected(let vector, let code) = report.outcome { return vector == 20 && code == 0 }
    return false
  }

  /// Frames of the pages that the guest has as private and as shared ones.
  package func frames(_ range: Range<UInt64>) -> Range<GFN> {
    GFN(0x200 + range.lowerBound)..<GFN(0x200 + range.upperBound)
  }
}
