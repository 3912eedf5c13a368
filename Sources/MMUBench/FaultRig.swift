internal import CBenchTwin
import Dispatch
import MMU
import Paging
import Synchronization
import X86EPT

/// An MMU whose vCPUs fault on tables that are present, on threads of their own, for `fault.tdp.*`:
/// the second level's walk, the frame's slot, the new leaf.
final class FaultRig: Sendable {
  typealias MMUType = TDPMMU<EPTEncoder, DefaultPolicy>

  /// **Bits** of the number of pages.
  static var bits: Int { 15 }
  static var pageCount: Int { 1 << bits }
  private static let ramBase = HPA(32 << 20)

  let memory: GuestMemory
  let mmu: MMUType
  private let leaves: [HPA]

  init() throws {
    let bytes = UInt64(Self.pageCount) << 12
    memory = GuestMemory(host: try HostMemory(byteCount: Self.ramBase.rawValue + bytes))
    let ram = Memslot(
      id: 0, base: GFN(0), frameCount: bytes >> 12, host: Self.ramBase, backing: .size4KiB)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(1), limit: 8000))
    var cpu = try mmu.makeCPU(index: 0)
    var leaves: [HPA] = []
    let tally = Self.fault(first: 0, count: Self.pageCount, on: &cpu, of: mmu)
    guard tally.failures == 0 else { throw BenchmarkError.disagreement("fault.tdp") }
    let root = mmu.encoder.root(cpu.root.baseAddress)
    for page in 0..<UInt64(Self.pageCount) {
      var steps = Recording(Judge())
      _ = Walker(mmu.encoder.format).walk(
        GPA(page << 12), for: EPTAccess(.read, reported: 1, isFinal: true, gva: nil), at: root,
        in: memory.host.view, &steps)
      guard let step = steps.steps.last, step.level == .pageTable else {
        throw BenchmarkError.noData("fault.tdp", "page \(page) has no leaf")
      }
      leaves.append(HPA(step.entryAddress))
    }
    self.leaves = leaves
    mmu.leave(&cpu)
  }

  /// Takes all leaves away; tables stay.
  func dropLeaves() {
    let nothing = mmu.encoder.layout.nonPresent.rawValue
    for leaf in leaves { _ = memory.host.view.swap(leaf, to: nothing) }
  }

  /// Faults on every page once; each of the threads, a power of two, has a range of its own.
  func run(threads: Int) -> WalkLoop.Tally {
    let share = Self.pageCount / threads
    let failures = Atomic<UInt64>(0)
    let checksum = Atomic<UInt64>(0)
    DispatchQueue.concurrentPerform(iterations: threads) { index in
      guard var cpu = try? mmu.makeCPU(index: index) else {
        failures.wrappingAdd(1, ordering: .relaxed)
        return
      }
      let tally = Self.fault(first: index * share, count: share, on: &cpu, of: mmu)
      mmu.leave(&cpu)
      failures.wrappingAdd(tally.failures, ordering: .relaxed)
      checksum.wrappingAdd(tally.checksum, ordering: .relaxed)
    }
    return WalkLoop.Tally(
      checksum: checksum.load(ordering: .relaxed), failures: failures.load(ordering: .relaxed))
  }

  @inline(never)
  private static func fault(
    first: Int, count: Int, on cpu: inout TDPContext, of mmu: MMUType
  ) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    for step in 0..<count {
      let page = UInt64(truncatingIfNeeded: first &+ step &* 0x9E37_79B1 & (count &- 1))
      let gpa = GPA(page &<< 12)
      guard
        case .failure(.exit(let exit)) = mmu.walk(
          gpa, .read, isUser: true, for: GVA(gpa.rawValue), on: &cpu),
        case .fixed = mmu.handle(exit, on: &cpu, NoObserver())
      else {
        tally.failures += 1
        continue
      }
      tally.checksum &+= page
    }
    return tally
  }
}

/// The twin's EPT and its faults, in a buffer of the same size.
final class FaultTwin {
  private let memory: BufferMemory
  private let leaves: [UInt64]
  private let base: UInt64 = 32 << 20

  init() {
    let pages = FaultRig.pageCount
    memory = BufferMemory(byteCount: Int(base) + pages << 12)
    var leaves: [UInt64] = []
    // One table of levels 4, 3 and 2, then as many of level 1 as the pages take.
    memory.store(0x2107 as UInt64, at: 0x1000)
    memory.store(0x3107 as UInt64, at: 0x2000)
    for table in 0..<UInt64(pages / 512) {
      memory.store(0x4107 + table << 12 as UInt64, at: 0x3000 + table * 8)
      for index in 0..<512 as Range<UInt64> { leaves.append(0x4000 + table << 12 + index * 8) }
    }
    self.leaves = leaves
  }

  func dropLeaves() { for leaf in leaves { memory.store(0 as UInt64, at: leaf) } }

  func run() -> WalkLoop.Tally {
    var ept = cbt_ept(
      root: 0x1000, physical_width: 46, execute_only: true, pages_2m: true, pages_1g: true,
      accessed_dirty: true)
    let loop = WalkLoop(base: base, bits: FaultRig.bits, count: FaultRig.pageCount)
    var work = unsafe loop.twinLoop(CBT_CHECKED, CBT_RANDOM, in: memory)
    // SAFETY: both structures live through the call, which keeps neither.
    let tally = unsafe cbt_run_faults(&ept, &work)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
