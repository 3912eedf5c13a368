import MMU
import Machine
import Paging
import X86
import X86EPT
import X86Guest

/// A composed machine for the figures of `access.*`: a four-level guest behind EPT, one vCPU.
///
/// Host memory: table pages from frame 1, guest RAM from 32 MiB. The guest's tables lie above its data
/// pages; both sides map 4 KiB pages. `linear` addresses lead to RAM, `device` addresses to a device.
final class AccessRig {
  typealias MMUType = TDPMMU<EPTEncoder, DefaultPolicy>

  /// Data pages. **Units** pages, a power of two.
  static var pageCount: Int { 1 << 14 }
  /// Pages of the device. **Units** pages, a power of two.
  static var devicePageCount: Int { 1 << 10 }
  static let linear = GVA(0x0000_7A00_0000_0000)
  static let device = GVA(0x0000_7B00_0000_0000)
  /// Where guest RAM begins in host memory.
  static let ramBase = HPA(32 << 20)
  static let deviceGPA = GPA(0x1_0000_0000)
  private static let dataBytes = UInt64(pageCount) << 12
  private static let ramBytes = dataBytes + (4 << 20)
  /// Frames of guest RAM, from 0.
  static var ramFrames: UInt64 { ramBytes >> 12 }

  let memory: GuestMemory
  let mmu: MMUType
  let machine: Machine<X86Processor, MMUType, NoObserver>
  /// Where the second level's leaves of the data pages are, by page.
  private var leaves: [HPA] = []
  /// The same for the device's pages.
  private var deviceLeaves: [HPA] = []

  init() throws {
    memory = GuestMemory(host: try HostMemory(byteCount: Self.ramBase.rawValue + Self.ramBytes))
    let ram = Memslot(
      id: 0, base: GFN(0), frameCount: Self.ramBytes >> 12, host: Self.ramBase,
      backing: .size4KiB)
    try memory.update { table throws(MemslotError) in try table.adding(ram) }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(1), limit: 8000))
    let root = GPA(Self.dataBytes)
    let processor = X86Processor(
      X86Registers(
        cr0: [.protectionEnable, .paging, .writeProtect], cr3: root.rawValue,
        cr4: [.physicalAddressExtension, .supervisorExecutionPrevention],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable]),
      X86Features(physicalAddressWidth: 46))
    machine = try Machine(guests: [processor], mmu: mmu)
    guard
      machine.bus.attach(
        SilentDevice(), at: Self.deviceGPA, byteCount: UInt64(Self.devicePageCount) << 12)
    else { throw BenchmarkError.noData("access", "the device cannot be attached") }
    var next = root.wrappingAdd(4096)
    for (gva, gpa, count) in [
      (Self.linear, GPA(0), Self.pageCount), (Self.device, Self.deviceGPA, Self.devicePageCount),
    ] {
      try processor.regime.map(
        gva, to: gpa, length: UInt64(count) << 12, pageSize: .size4KiB,
        permissions: [.read, .write, .user], in: memory.view
      ) {
        defer { next = next.wrappingAdd(4096) }
        return next
      }
    }
    // One access of each page makes all tables, and all A and D bits but those of the data.
    for page in 0..<Self.pageCount { touch(Self.linear, page) }
    for page in 0..<Self.devicePageCount { touch(Self.device, page) }
    leaves = try (0..<Self.pageCount).map { try leaf(of: GPA(UInt64($0) << 12)) }
    deviceLeaves = try (0..<Self.devicePageCount).map {
      try leaf(of: Self.deviceGPA.wrappingAdd(UInt64($0) << 12))
    }
  }

  private func touch(_ base: GVA, _ page: Int) {
    _ = machine.vcpu(
      0, access: X86Access(.write, user: true), at: base.wrappingAdd(UInt64(page) << 12), size: 8,
      value: UInt128(page))
  }

  private func leaf(of gpa: GPA) throws(BenchmarkError) -> HPA {
    var steps = Recording(Judge())
    let root = mmu.encoder.root(machine.vcpus[0].mmuState.root.baseAddress)
    _ = Walker(mmu.encoder.format).walk(
      gpa, for: EPTAccess(.read, reported: 1, isFinal: true, gva: nil), at: root,
      in: memory.host.view, &steps)
    guard let step = steps.steps.last, step.level == .pageTable else {
      throw .noData("access", "GPA \(gpa) has no leaf")
    }
    return HPA(step.entryAddress)
  }

  /// Takes the leaves of all data pages away and empties the TLB: the next access of each is a fault
  /// on tables that are present.
  func dropLeaves() { drop(leaves) }

  /// The same for the device's pages.
  func dropDeviceLeaves() { drop(deviceLeaves) }

  private func drop(_ leaves: [HPA]) {
    let nothing = mmu.encoder.layout.nonPresent.rawValue
    for leaf in leaves { _ = memory.host.view.swap(leaf, to: nothing) }
    flushTLB()
  }

  /// Empties the TLB as the guest would.
  func flushTLB() {
    let cr3 = machine.vcpus[0].guest.registers.cr3
    guard (try? machine.vcpu(0, moveToCR3: cr3)) != nil else {
      preconditionFailure("the guest's own CR3 is a legal one")
    }
  }

  /// Reads 8 bytes of each of `count` pages, no page twice within `span`. **Requires** a power of two
  /// as the span.
  @inline(never)
  func read(_ base: GVA, count: Int, span: Int) -> WalkLoop.Tally {
    machine.withVCPU(0) { vcpu in
      var tally = WalkLoop.Tally()
      for step in 0..<count {
        let read = vcpu.access(Self.access, at: Self.address(base, step, span), size: 8)
        guard read.isDone else {
          tally.failures += 1
          continue
        }
        tally.checksum &+= UInt64(truncatingIfNeeded: read.value) ^ (read.gpa?.rawValue ?? 0)
      }
      return tally
    }
  }

  /// The same, one access from outside the guest after the other.
  @inline(never)
  func readApart(_ base: GVA, count: Int, span: Int) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    for step in 0..<count {
      let report = machine.vcpu(
        0, access: Self.access, at: Self.address(base, step, span), size: 8)
      guard case .done(let value) = report.outcome else {
        tally.failures += 1
        continue
      }
      tally.checksum &+= UInt64(truncatingIfNeeded: value) ^ (report.gpa?.rawValue ?? 0)
    }
    return tally
  }

  static var access: X86Access { X86Access(.read, user: true) }

  @inline(__always)
  static func address(_ base: GVA, _ step: Int, _ span: Int) -> GVA {
    base.wrappingAdd(UInt64(truncatingIfNeeded: step &* 0x9E37_79B1 & (span &- 1)) &<< 12)
  }
}

/// A device that answers with its offset.
private struct SilentDevice: MMIODevice {
  let name = "silent"
  func read(offset: UInt64, size: Int) -> UInt64 { offset }
  func write(_ value: UInt64, offset: UInt64, size: Int) {}
}
