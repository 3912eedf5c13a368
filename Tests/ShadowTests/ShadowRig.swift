import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import X86
import X86Guest
import X86Long
import X86Shadow

/// A machine for tests whose guest, in any mode, runs on shadow tables.
///
/// Host memory is 64 MiB: table pages from frame 16, guest RAM from frame 4096 (16 MiB).
struct ShadowRig {
  typealias MMUType = ShadowMMU<X86Processor, ShadowEncoder<Long5>, PolicyStack>
  let memory: GuestMemory
  let pool: TablePool
  let mmu: MMUType
  let log = EventLog()
  let machine: Machine<X86Processor, MMUType, EventLog>
  let mode: X86Mode
  let root: UInt64

  init(
    _ mode: X86Mode = .long4, slots: [Memslot] = [.ram], width: Int = 46, tablePages: Int = 2000,
    vcpus: Int = 1, options: ShadowOptions = ShadowOptions(), generation: UInt64 = 1,
    root: UInt64 = 0x10_0000, isMMIOCached: Bool = true, policy: PolicyStack = PolicyStack([]),
    layout: NamedLayout = .standard, management: [Memslot] = [],
    registers: (inout X86Registers) -> Void = { _ in }
  ) throws {
    self.mode = mode
    self.root = root
    memory = GuestMemory(
      host: try HostMemory(byteCount: 64 << 20), generation: generation,
      hasSystemManagement: !management.isEmpty)
    try memory.update { table throws(MemslotError) in
      var table = table
      for slot in slots { table = try table.adding(slot) }
      return table
    }
    if !management.isEmpty {
      try memory.updateManagement { table throws(MemslotError) in
        var table = table
        for slot in management { table = try table.adding(slot) }
        return table
      }
    }
    pool = TablePool(first: PFN(16), limit: tablePages)
    let features = X86Features(physicalAddressWidth: width)
    let host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect],
      cr4: [.physicalAddressExtension, .linearAddress57],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    var hostFeatures = features
    if layout == .encrypted {
      hostFeatures.encryptionMask = MemoryEncryption.sme(physicalAddressWidth: width)?.mask ?? 0
    }
    let encoder = try ShadowEncoder(
      Long5(host, hostFeatures), rootLevel: Level(5), physicalAddressWidth: width,
      mmio: isMMIOCached ? .shadow(physicalAddressWidth: width, layout: layout) : nil,
      layout: layout)
    mmu = ShadowMMU(
      encoder: encoder, policy: policy, memory: memory, pool: pool, options: options)
    var state = Self.registers(mode, root: root)
    registers(&state)
    if mode == .pae {
      for index in 0..<4 as Range<UInt64> {
        Self.poke(memory, root + index * 8, (root + (index + 1) << 12) | 1, 8)
      }
    }
    let processor = try X86Processor.load(state, features, in: memory.view).get().processor
    let guests = (0..<vcpus).map { _ in processor }
    machine = try Machine(guests: guests, mmu: mmu, observer: log)
  }

  static func registers(_ mode: X86Mode, root: UInt64) -> X86Registers {
    var state = X86Registers(cr0: [.protectionEnable, .writeProtect], cr3: root)
    if mode != .none { state.cr0.insert(.paging) }
    if mode == .legacy32 { state.cr4.insert(.pageSizeExtensions) }
    if mode == .pae || mode == .long4 || mode == .long5 {
      state.cr4.insert(.physicalAddressExtension)
      state.efer.insert(.noExecuteEnable)
    }
    if mode == .long4 || mode == .long5 {
      state.efer.formUnion([.longModeEnable, .longModeActive])
    }
    if mode == .long5 { state.cr4.insert(.linearAddress57) }
    return state
  }

  /// One access of a vCPU.
  func access(
    _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0, user: Bool = false,
    alignmentCheck: Bool = false, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    machine.vcpu(
      vcpu, access: X86Access(kind, user: user, alignmentCheck: alignmentCheck), at: GVA(gva),
      size: size, value: value)
  }

  /// The vCPU's levels, top first, each with its entries' size, index shift and index mask.
  var levels: [(level: Int, shift: UInt64, mask: UInt64)] {
    switch mode {
    case .none: []
    case .legacy32: [(2, 22, 1023), (1, 12, 1023)]
    case .pae: [(2, 21, 511), (1, 12, 511)]
    case .long4: [(4, 39, 511), (3, 30, 511), (2, 21, 511), (1, 12, 511)]
    case .long5: [(5, 48, 511), (4, 39, 511), (3, 30, 511), (2, 21, 511), (1, 12, 511)]
    }
  }

  var entrySize: UInt64 { mode == .legacy32 ? 4 : 8 }

  /// Where the guest's entry of a level is, tables made on the way at `tables` + a number that the
  /// address and level determine.
  func place(_ gva: UInt64, level: Int = 1, in top: UInt64? = nil, by vcpu: Int? = nil) -> UInt64 {
    var table = top ?? root
    if mode == .pae { table = (top ?? root) + ((gva >> 30 & 3) + 1) << 12 }
    for (current, shift, mask) in levels {
      let entry = table + (gva >> shift & mask) * entrySize
      if current == level { return entry }
      if peek(entry) & 1 == 0 {
        let next = nextTable()
        poke(entry, next | 7)
      }
      table = peek(entry) & 0x000F_FFFF_FFFF_F000
    }
    return table
  }

  private let cursor = Cursor()

  private func nextTable() -> UInt64 {
    cursor.next += 0x1000
    return root + 0x1_0000 + cursor.next
  }

  final class Cursor { var next: UInt64 = 0 }

  /// Maps one page of a level, from outside.
  func map(_ gva: UInt64, to gpa: UInt64, flags: UInt64 = 7, level: Int = 1, in top: UInt64? = nil)
  {
    poke(place(gva, level: level, in: top), gpa | flags | (level > 1 ? 0x80 : 0))
  }

  func peek(_ gpa: UInt64) -> UInt64 {
    let bytes = memory.view.read(GPA(gpa), count: Int(entrySize))
    return bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Writes an entry from outside.
  func poke(_ gpa: UInt64, _ entry: UInt64) { Self.poke(memory, gpa, entry, Int(entrySize)) }

  static func poke(_ memory: GuestMemory, _ gpa: UInt64, _ entry: UInt64, _ size: Int) {
    let bytes = (0..<size).map { UInt8(truncatingIfNeeded: entry >> UInt64($0 * 8)) }
    // SAFETY: an array of bytes has no padding.
    _ = unsafe memory.view.write(bytes.span.bytes, at: GPA(gpa))
  }

  /// Maps a window through which the guest sees its own tables and all of its memory.
  func mapWindow(at gva: UInt64, pages: Int = 512, from gpa: UInt64 = 0x10_0000) {
    for page in 0..<UInt64(pages) { map(gva + page << 12, to: gpa + page << 12, flags: 3) }
  }

  /// The leaf of the shadow for an address: the entry that ends the hardware's walk, and its level.
  func leaf(_ gva: UInt64, vcpu: Int = 0) -> (spte: SPTE, level: Int)? {
    lastEntry(gva, vcpu: vcpu).map { ($0.spte, $0.level) }
  }

  /// Where that entry is in host memory.
  func leafPlace(_ gva: UInt64, vcpu: Int = 0) -> HPA? { lastEntry(gva, vcpu: vcpu)?.place }

  private func lastEntry(_ gva: UInt64, vcpu: Int) -> (spte: SPTE, level: Int, place: HPA)? {
    guard let root = machine.vcpus[vcpu].mmuState.root else { return nil }
    var table = root
    for level in stride(from: mode == .long5 ? 5 : 4, through: 1, by: -1) {
      let index = gva >> UInt64(3 + 9 * level) & 511
      let place = table.baseAddress.wrappingAdd(index * 8)
      guard case .success(let raw) = memory.host.view.load(place, as: UInt64.self) else {
        return nil
      }
      let spte = SPTE(raw)
      if !mmu.encoder.isPresent(spte) || mmu.encoder.isLeaf(spte, at: Level(level)) {
        return (spte, level, place)
      }
      table = mmu.encoder.pfn(of: spte)
    }
    return nil
  }
}
