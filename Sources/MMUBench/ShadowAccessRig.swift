import MMU
import Machine
import Paging
import X86
import X86Guest
import X86Long
import X86Shadow

/// A composed machine for the figures of shadow paging: a four-level guest, one vCPU, no prefetch.
///
/// Host memory: table pages from frame 1, guest RAM from 32 MiB; the guest's tables lie above its data
/// pages, 4 KiB each. A second address space maps the same pages by tables of its own.
final class ShadowAccessRig {
  typealias MMUType = ShadowMMU<X86Processor, ShadowEncoder<Long5>, DefaultPolicy>

  /// Data pages. **Units** pages, a power of two.
  static var pageCount: Int { 1 << 14 }
  static let linear = GVA(0x0000_7A00_0000_0000)
  private static let ramBase = HPA(32 << 20)
  private static let dataBytes = UInt64(pageCount) << 12
  private static let ramBytes = dataBytes + (8 << 20)

  let memory: GuestMemory
  let mmu: MMUType
  let machine: Machine<X86Processor, MMUType, NoObserver>
  /// The guest's top tables.
  let roots: [GPA]

  /// A machine whose guest has touched every data page once.
  ///
  /// - Parameter tablePages: the limit of shadow pages.
  init(tablePages: Int = 8000) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: Self.ramBase.rawValue + Self.ramBytes))
    let ram = Memslot(
      id: 0, base: GFN(0), frameCount: Self.ramBytes >> 12, host: Self.ramBase,
      backing: .size4KiB)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    let features = X86Features(physicalAddressWidth: 46)
    let host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect],
      cr4: [.physicalAddressExtension, .linearAddress57],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    mmu = ShadowMMU(
      encoder: try ShadowEncoder(
        Long5(host, features), rootLevel: Level(5), physicalAddressWidth: 46,
        mmio: .shadow(physicalAddressWidth: 46)),
      policy: DefaultPolicy(), memory: memory,
      pool: TablePool(first: PFN(1), limit: tablePages), options: ShadowOptions(prefetchWindow: 1))
    var next = GPA(Self.dataBytes)
    var roots: [GPA] = []
    func registers(_ root: GPA) -> X86Registers {
      X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect], cr3: root.rawValue,
        cr4: [.physicalAddressExtension, .supervisorExecutionPrevention],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    }
    for _ in 0..<2 {
      let root = next
      roots.append(root)
      next = next.wrappingAdd(4096)
      try X86Processor(registers(root), features).regime.map(
        Self.linear, to: GPA(0), length: Self.dataBytes, pageSize: .size4KiB,
        permissions: [.read, .write, .user], in: memory.view
      ) {
        defer { next = next.wrappingAdd(4096) }
        return next
      }
    }
    self.roots = roots
    machine = try Machine(guests: [X86Processor(registers(roots[0]), features)], mmu: mmu)
    let tally = read(count: Self.pageCount)
    guard tally.failures == 0 else { throw BenchmarkError.noData("access.shadow", "a page faults") }
  }

  /// Takes every leaf away, and with it the TLB: the next access of each page is a fault on shadow
  /// tables that are present.
  func dropLeaves() {
    mmu.unmapHost(GFN(0)..<GFN(Self.ramBytes >> 12))
    switchTo(0)
  }

  /// Moves the guest to one of its address spaces.
  func switchTo(_ space: Int) {
    guard (try? machine.vcpu(0, moveToCR3: roots[space].rawValue)) != nil else {
      preconditionFailure("the guest's own tables are legal ones")
    }
  }

  /// Reads 8 bytes of each of `count` pages, no page twice.
  @inline(never)
  func read(count: Int) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    let access = X86Access(.read, user: true)
    for step in 0..<count {
      let page = UInt64(truncatingIfNeeded: step &* 0x9E37_79B1 & (Self.pageCount &- 1))
      let report = machine.vcpu(
        0, access: access, at: Self.linear.wrappingAdd(page &<< 12), size: 8)
      if case .done(let value) = report.outcome {
        tally.checksum &+= UInt64(truncatingIfNeeded: value) ^ (report.gpa?.rawValue ?? 0)
      } else {
        tally.failures += 1
      }
    }
    return tally
  }
}
