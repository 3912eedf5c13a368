import MMU
import Machine
import Paging
import X86
import X86Guest
import X86Long
import X86Shadow

/// A composed machine for the figures of shadow paging: a four-level guest, one vCPU, no prefetch.
///
/// Host memory: table pages from frame 1, then guest RAM. Guest RAM: the tables of two address spaces,
/// then the data, 4 KiB pages that both spaces map from `linear` on; behind the data each space maps
/// its own leaf tables, for the guest to write.
final class ShadowAccessRig {
  typealias MMUType = ShadowMMU<X86Processor, ShadowEncoder<Long5>, DefaultPolicy>

  /// Data pages unless more or fewer are wanted. **Units** pages, a power of two.
  static var pageCount: Int { 1 << 14 }
  static let linear = GVA(0x0000_7A00_0000_0000)

  let memory: GuestMemory
  let mmu: MMUType
  let machine: Machine<X86Processor, MMUType, NoObserver>
  /// Data pages. **Units** pages.
  let pages: Int
  /// The guest's top tables.
  let roots: [GPA]
  private let ramFrames: UInt64
  private let dataBase: GFN
  private let guest: X86Processor
  /// A vCPU that takes faults and nothing else.
  private var cpu: MMUType.CPU

  /// A machine whose guest has used every data page once.
  ///
  /// - Parameters:
  ///   - slots: the memslots that share the data; at most as many as pages.
  ///   - tablePages: the limit of shadow pages.
  init(pages: Int = pageCount, slots: Int = 1, tablePages: Int? = nil) throws {
    self.pages = pages
    let layout = GuestLayout(pages: pages)
    let tablePages = tablePages ?? 2 * layout.tableCount + 64
    let ramBase = HPA(UInt64(tablePages / 512 + 1) << 21)
    let tableFrames = UInt64(2 * layout.tableCount)
    let frames = tableFrames + UInt64(pages)
    ramFrames = frames
    dataBase = GFN(tableFrames)
    memory = GuestMemory(host: try HostMemory(byteCount: ramBase.rawValue + frames << 12))
    let share = UInt64(pages / slots)
    let slotTable = try MemslotTable(
      (0...slots).map { id in
        let first = id == 0 ? 0 : tableFrames + UInt64(id - 1) * share
        let end = id == 0 ? tableFrames : id == slots ? frames : first + share
        return Memslot(
          id: id, base: GFN(first), frameCount: end - first,
          host: ramBase.wrappingAdd(first << 12), backing: .size4KiB)
      })
    try memory.update { _ in slotTable }
    let tables = (0..<2).map { GPA(UInt64($0 * layout.tableCount) << 12) }
    for root in tables { layout.write(at: root, data: dataBase, to: memory.view) }
    roots = tables
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
    guest = X86Processor(Self.registers(tables[0]), features)
    machine = try Machine(guests: [guest], mmu: mmu)
    cpu = mmu.makeCPU(index: 1)
    guard fault(Array(0..<UInt32(pages))).failures == 0 else {
      throw BenchmarkError.noData("fault.shadow", "a page cannot be mapped")
    }
  }

  deinit { mmu.leave(&cpu) }

  /// The guest's registers on the tables of one space.
  static func registers(_ root: GPA) -> X86Registers {
    X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect], cr3: root.rawValue,
      cr4: [.physicalAddressExtension, .supervisorExecutionPrevention],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
  }

  /// Takes every leaf away, and with it the TLB: the next access of each page is a fault on shadow
  /// tables that are present.
  func dropLeaves() {
    mmu.unmapHost(GFN(0)..<GFN(ramFrames))
    switchTo(0)
  }

  /// Takes the leaves of some data pages away.
  func drop(_ pages: [UInt32]) {
    for page in pages {
      let gfn = dataBase.wrappingAdd(UInt64(page))
      mmu.unmapHost(gfn..<gfn.wrappingAdd(1))
    }
  }

  /// Moves the guest to one of its address spaces.
  func switchTo(_ space: Int) {
    guard (try? machine.vcpu(0, moveToCR3: roots[space].rawValue)) != nil else {
      preconditionFailure("the guest's own tables are legal ones")
    }
  }

  /// Reads 8 bytes of each of `count` pages, no page twice. **Requires** `pageCount` pages.
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

  /// Takes one fault on each page, which has no leaf: the hardware's walk and what the MMU does about
  /// it, without the access.
  @inline(never)
  func fault(_ pages: [UInt32]) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    let access = X86Access(.read, user: true)
    // As a machine lends it: what a class holds would be checked for overlapping use at each call.
    var cpu = cpu
    defer { self.cpu = cpu }
    let guest = guest
    for page in pages {
      let gva = Self.linear.wrappingAdd(UInt64(page) &<< 12)
      guard case .failure(.exit(let exit)) = mmu.walk(gva, for: access, by: guest, on: &cpu),
        case .fixed = mmu.handle(exit, on: &cpu, NoObserver())
      else {
        tally.failures += 1
        continue
      }
      tally.checksum &+= UInt64(page)
    }
    return tally
  }

  /// Leaf tables of the data. **Units** tables.
  var leafTables: Int { (pages + 511) / 512 }

  /// Has the guest change one entry of each leaf table of its data: the tables go out of step.
  func unsync() {
    for table in 0..<leafTables {
      let place = Self.linear.wrappingAdd(UInt64(pages + table) << 12)
      let read = machine.vcpu(0, access: X86Access(.read, user: true), at: place, size: 8)
      guard case .done(let entry) = read.outcome,
        case .done = machine.vcpu(
          0, access: X86Access(.write, user: true), at: place, size: 8, value: entry ^ 2
        ).outcome
      else { preconditionFailure("the guest may write its own tables") }
    }
  }

  /// A flush of the guest's TLB, which brings every table in step that is not.
  @inline(never)
  func sync() -> WalkLoop.Tally {
    let before = machine.counters.synced
    switchTo(0)
    let synced = machine.counters.synced - before
    return WalkLoop.Tally(
      checksum: UInt64(synced), failures: synced == leafTables ? 0 : 1)
  }

  /// Moves CR3 to and fro between two spaces whose roots the vCPU remembers.
  @inline(never)
  func switches(count: Int) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    let before = machine.counters.cacheMisses
    machine.withVCPU(0) { vcpu in
      for step in 1...count {
        let root = roots[step & 1].rawValue
        if (try? vcpu.moveToCR3(root)) == nil { tally.failures += 1 }
        tally.checksum &+= root
      }
    }
    if machine.counters.cacheMisses != before { tally.failures += 1 }
    return tally
  }
}
