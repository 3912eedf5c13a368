import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86EPT
import X86Guest
import X86TDX

/// A policy that does something between the look at a fault and its handling, as another thread might.
private final class Interloper: MMUPolicy {
  typealias Deed = @Sendable () -> Void
  private let deed = Guarded<Deed?>(nil)

  func prepare(_ deed: @escaping Deed) { self.deed.withLock { $0 = deed } }

  func mappingLevel(for info: FaultInfo) -> Level {
    let deed = deed.withLock { held in
      defer { held = nil }
      return held
    }
    deed?()
    return info.largestLevel
  }
}

@Suite("A trust domain, between look and deed")
struct TDXRaceTests {
  @Test(
    "E16 T6 a frame that becomes shared while its large page is added stays out of it, and the others work",
    arguments: [0, 5] as [UInt64])
  func conversionDuringFault(shared: UInt64) throws {
    let memory = GuestMemory(host: try HostMemory(byteCount: 96 << 20))
    var ram = Memslot.ram(backing: .size2MiB)
    ram.privateHost = HPA(64 << 20)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    let policy = Interloper()
    let mmu = try TDXMMU(
      shared: TDPMMU(
        encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 52), mmio: .tdx),
        policy: policy, memory: memory, pool: TablePool(first: PFN(16), limit: 100),
        mapsPrivateMemory: false),
      module: TDXModule(addressing: TDXAddressing(isWide: false)))
    try mmu.convert(ram.base..<ram.end, toPrivate: true)
    try mmu.finalize()
    let machine = try Machine(
      guests: [
        X86Processor(
          X86Registers(cr0: .protectionEnable), X86Features(physicalAddressWidth: 52))
      ], mmu: mmu)
    // While the host looks at the fault of frame 0x230 another thread makes a frame beside it shared.
    let frame = GFN(0x200 + shared)
    policy.prepare { try? mmu.convert(frame..<frame.wrappingAdd(1), toPrivate: false) }
    let report = machine.vcpu(0, access: X86Access(.read), at: GVA(0x23_0000), size: 8)
    guard case .injected(20, 0) = report.outcome else {
      Issue.record("\(report.outcome)")
      return
    }
    #expect(mmu.audit() == [])
    #expect(mmu.module.entry(frame, .pageTable).state == .free)
    try mmu.accept(GFN(0x230))
    #expect(machine.vcpu(0, access: X86Access(.read), at: GVA(0x23_0000), size: 8).value == 0)
  }
}
