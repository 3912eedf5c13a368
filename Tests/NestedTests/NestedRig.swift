import MMU
import Machine
import MachineSupport
import Paging
import X86
import X86EPT
import X86Guest
import X86NPT

/// A machine for tests with three levels: vCPU 0 runs the hypervisor inside the guest, without paging,
/// and vCPU 1 its guest, in long mode.
///
/// Guest memory: 16 MiB of RAM from 0, 16 KiB read-only from 32 MiB, nothing from 64 MiB on. The
/// hypervisor's tables are from 1 MiB, the inner guest's memory from 2 MiB.
struct NestedRig<Encoder: SPTEEncoder> where Encoder.Format: NestedFormat {
  typealias MMUType = NestedMMU<Encoder, DefaultPolicy>
  let memory: GuestMemory
  let pool: TablePool
  let mmu: MMUType
  let log = EventLog()
  let machine: Machine<X86Processor, MMUType, EventLog>
  let inner: Encoder.Format

  static var readOnly: UInt64 { 32 << 20 }
  static var hole: UInt64 { 64 << 20 }
  /// Where the inner guest's page tables are, in its own memory.
  static var root: UInt64 { 0x1000 }

  init(
    _ encoder: Encoder, inner: Encoder.Format? = nil, backing: PageSize = .size4KiB,
    tablePages: Int = 2000, options: ShadowOptions = ShadowOptions(),
    slots: [Memslot]? = nil, findsStaleTranslations: Bool = false
  ) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 64 << 20))
    let standard = [
      Memslot.ram(backing: backing),
      Memslot(
        id: 1, base: GPA(Self.readOnly).frame, frameCount: 4, host: HPA(40 << 20),
        flags: .readOnly, backing: .size4KiB),
    ]
    try memory.update { table throws(MemslotError) in
      var table = table
      for slot in slots ?? standard { table = try table.adding(slot) }
      return table
    }
    pool = TablePool(first: PFN(16), limit: tablePages)
    self.inner = inner ?? encoder.format
    mmu = try NestedMMU(
      encoder: encoder, inner: inner, policy: DefaultPolicy(), memory: memory, pool: pool,
      options: options)
    let features = X86Features(physicalAddressWidth: 40)
    let hypervisor = X86Processor(X86Registers(cr0: .protectionEnable), features)
    let guest = X86Processor(
      X86Registers(
        cr0: [.protectionEnable, .writeProtect, .paging], cr3: Self.root,
        cr4: [.physicalAddressExtension],
        efer: [.longModeEnable, .longModeActive, .noExecuteEnable]), features)
    machine = try Machine(
      guests: [hypervisor, guest], mmu: mmu, observer: log,
      ledger: findsStaleTranslations ? TranslationLedger(memory: memory) : nil)
  }

  /// Where the inner guest is told of #VE, in the hypervisor's memory.
  static var exceptionArea: GPA { GPA(0x50_0000) }

  /// Allows the next #VE, as the inner guest's handler does when it is done.
  func clearBusyWord() { poke(Self.exceptionArea.rawValue, 0) }

  /// How an access ended that the inner guest made last.
  func outcome(_ report: AccessReport<X86Fault>) -> NestedOutcome {
    if case .injected(VirtualizationExceptionArea.vector, 0) = report.outcome,
      let area = mmu.exceptionInformation(of: machine.vcpus[1].mmuState)
    {
      return .exception(area)
    }
    return NestedOutcome(report)
  }

  /// An access of the inner guest.
  func access(
    _ kind: AccessKind, _ gva: UInt64, size: Int = 8, value: UInt128 = 0, user: Bool = false
  ) -> AccessReport<X86Fault> {
    machine.vcpu(
      1, access: X86Access(kind, user: user), at: GVA(gva), size: size, value: value)
  }

  /// A write by the hypervisor's own vCPU, as it edits its tables.
  @discardableResult
  func hypervisorWrites(_ gpa: UInt64, _ entry: UInt64) -> AccessReport<X86Fault> {
    machine.vcpu(0, access: .write, at: GVA(gpa), size: 8, value: UInt128(entry))
  }

  /// What the memslots hold.
  func peek(_ gpa: UInt64) -> UInt64 {
    guard case .success(let entry) = memory.view.load(GPA(gpa), as: UInt64.self) else { return 0 }
    return entry
  }

  /// Writes guest memory from outside.
  func poke(_ gpa: UInt64, _ entry: UInt64) {
    let words = [entry.littleEndian]
    // SAFETY: an array of integers has no padding.
    _ = unsafe memory.view.write(words.span.bytes, at: GPA(gpa))
  }

  /// The walk of both levels straight over the memslots, as if no table were shadowed: what the
  /// processor would do if it had the hypervisor's tables.
  func reference(
    _ kind: AccessKind, _ gva: UInt64, user: Bool = false, pointer: UInt64,
    in host: SlotMemory
  ) -> NestedOutcome {
    guard let (format, root) = inner.selected(by: pointer) else { return .contended }
    let second = FormatRegime(format, root: root)
    let nested = NestedMemory(second: second, host: host, gva: GVA(gva))
    let access = X86Access(kind, user: user)
    let guest = machine.vcpus[1].guest
    let found: Translation<GuestPhysical, X86Rights>
    switch guest.translate(GVA(gva), for: access, in: nested, Commit()) {
    case .success(let translation): found = translation
    case .failure(.fault(let fault)): return .fault(fault.vector, fault.errorCode.rawValue)
    case .failure(.contended), .failure(.unreadable(.contended, _, _)): return .contended
    case .failure(.unreadable(.fault(let exit), _, _)):
      return .reflected(Encoder.Format.reflection(of: exit))
    case .failure(.unreadable(.unreadable, let entry, _)):
      // No memory: where the hypervisor's table should be, or where the inner guest's should.
      let table = format.tableAccess(update: false, for: GVA(gva))
      if case .failure = second.translate(GPA(entry), for: table, in: host, Judge()) {
        return .reflected(Self.absence(GPA(entry), table, format))
      }
      let fault = guest.faultForUnreadableTable(GVA(gva), for: access, at: .pageTable)
      return .fault(fault.vector, fault.errorCode.rawValue)
    }
    let isUser = guest.permissions(of: found.rights).contains(.user)
    let final = format.finalAccess(kind, isUser: isUser, for: GVA(gva))
    switch nested.walk(found.address, final) {
    case .success(let page):
      let gpa = GPA(page.address.rawValue)
      let isReadOnly = gpa.rawValue >> 14 == Self.readOnly >> 14
      let isRAM = memory.hpa(of: gpa) != nil && !(isReadOnly && kind == .write)
      return isRAM ? .memory(gpa) : .mmio(gpa)
    case .failure(.fault(let exit)): return .reflected(Encoder.Format.reflection(of: exit))
    case .failure(.unreadable): return .reflected(Self.absence(found.address, final, format))
    case .failure(.contended): return .contended
    }
  }

  /// What the hypervisor gets where its table has no memory: as for an entry that is not present.
  private static func absence(
    _ gpa: GPA, _ access: Encoder.Format.Access, _ format: Encoder.Format
  ) -> ReflectedExit {
    var rights = format.unrestricted
    format.narrow(&rights, by: 0, at: format.rootLevel)
    return Encoder.Format.reflection(
      of: format.fault(
        .notPresent, at: format.rootLevel, gpa, for: access, rights: rights, entry: 0))
  }
}

/// How an access of the inner guest ends.
enum NestedOutcome: Hashable {
  /// Where it is in the memslots.
  case memory(GPA)
  case mmio(GPA)
  case fault(UInt8, UInt32)
  case reflected(ReflectedExit)
  /// A #VE of the inner guest, and what it is told.
  case exception(VirtualizationExceptionArea)
  case failed(FaultError)
  case contended

  init(_ report: AccessReport<X86Fault>) {
    switch report.outcome {
    case .done:
      let gpa = report.gpa ?? GPA(.max)
      self = report.mmio == nil ? .memory(gpa) : .mmio(gpa)
    case .fault(let fault): self = .fault(fault.vector, fault.errorCode.rawValue)
    case .injected(let vector, let errorCode): self = .fault(vector, errorCode)
    case .reflected(let exit): self = .reflected(exit)
    case .failed(let error): self = .failed(error)
    }
  }
}

/// The memslots as the memory that the hypervisor's tables lead to, with changes kept aside, and with
/// older contents of some words to choose from.
final class SlotMemory: EntryMemory {
  typealias Space = HostPhysical
  typealias Failure = GuestMemoryHole

  let view: GuestView
  /// What walks have written.
  var written: [UInt64: UInt64] = [:]
  /// Which of the reads, counted from 0, finds which older content: each translation that a walk uses
  /// may have been cached at a time of its own.
  var choice: [Int: UInt64] = [:]
  /// The place of each read, in their order.
  var reads: [UInt64] = []
  /// What was last read of a place.
  private var seen: [UInt64: UInt64] = [:]

  init(_ view: GuestView) { self.view = view }

  func load<Entry: TableEntry>(
    _ address: HPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    let place = address.rawValue
    let number = reads.count
    reads.append(place)
    if let kept = written[place] ?? choice[number] {
      seen[place] = kept
      return .success(Entry(truncatingIfNeeded: kept))
    }
    let found = view.load(GPA(place), as: type)
    if case .success(let entry) = found { seen[place] = UInt64(entry) }
    return found
  }

  func compareExchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, GuestMemoryHole> {
    // What is marked was read before.
    guard seen[address.rawValue] == UInt64(expected) else { return .success(.lost) }
    written[address.rawValue] = UInt64(desired)
    seen[address.rawValue] = UInt64(desired)
    return .success(.stored)
  }
}

/// The tables of a test, whichever the format.
protocol NestedTables: SPTEEncoder where Format: NestedFormat {
  /// A table entry that grants everything, or what a test takes away.
  static func tableEntry(_ gpa: UInt64, granting: Permissions) -> UInt64
  /// The bit of an entry whose violation is an exit though #VE are taken; 0 where there are none.
  static var suppressBit: UInt64 { get }
  /// A leaf, write-back; marked as used and written.
  static func leafEntry(_ gpa: UInt64, granting: Permissions, level: Int) -> UInt64
  /// The pointer that names a root table.
  static func pointer(_ gpa: UInt64, marking: Bool) -> UInt64
}

extension EPTEncoder: NestedTables {
  static var suppressBit: UInt64 { 1 << 63 }

  static func tableEntry(_ gpa: UInt64, granting permissions: Permissions) -> UInt64 {
    gpa | bits(permissions)
  }

  static func leafEntry(_ gpa: UInt64, granting permissions: Permissions, level: Int) -> UInt64 {
    gpa | bits(permissions) | 6 << 3 | 0x300 | (level > 1 ? 0x80 : 0)
  }

  static func pointer(_ gpa: UInt64, marking: Bool) -> UInt64 { gpa | 0x1E | (marking ? 0x40 : 0) }

  private static func bits(_ permissions: Permissions) -> UInt64 {
    UInt64(permissions.rawValue & 7)
  }
}

extension NPTEncoder: NestedTables {
  static var suppressBit: UInt64 { 0 }

  static func tableEntry(_ gpa: UInt64, granting permissions: Permissions) -> UInt64 {
    gpa | bits(permissions)
  }

  static func leafEntry(_ gpa: UInt64, granting permissions: Permissions, level: Int) -> UInt64 {
    gpa | bits(permissions) | 0x60 | (level > 1 ? 0x80 : 0)
  }

  static func pointer(_ gpa: UInt64, marking: Bool) -> UInt64 { gpa }

  private static func bits(_ permissions: Permissions) -> UInt64 {
    (permissions.contains(.read) ? 1 : 0) | (permissions.contains(.write) ? 2 : 0)
      | (permissions.contains(.user) ? 4 : 0) | (permissions.contains(.execute) ? 0 : 1 << 63)
  }
}

extension NestedRig where Encoder: NestedTables {
  /// The hypervisor's first table.
  static var base: UInt64 { 0x10_0000 }

  static func pointer(marking: Bool = true) -> UInt64 {
    Encoder.pointer(base, marking: marking)
  }

  /// Maps a page of the inner guest's memory, from outside; tables are at fixed pages by level and
  /// 2 MiB.
  func map(
    _ gpa: UInt64, to place: UInt64, granting permissions: Permissions = .all, level: Int = 1
  ) {
    poke(entry(gpa, level: level), Encoder.leafEntry(place, granting: permissions, level: level))
  }

  /// Where the hypervisor's entry for an address of the inner guest is, tables made on the way.
  func entry(_ gpa: UInt64, level: Int) -> UInt64 {
    var table = Self.base
    for current in stride(from: inner.rootLevel.rawValue, through: level, by: -1) {
      let entry = table + (gpa >> UInt64(3 + 9 * current) & 511) * 8
      if current == level { return entry }
      let next = Self.base + UInt64(5 - current) << 12 + (current == 2 ? (gpa >> 21) << 12 : 0)
      if peek(entry) & 7 == 0 { poke(entry, inner.tableEntry(next, at: Level(current))) }
      table = peek(entry) & 0xFF_FFFF_F000
    }
    return table
  }

  /// The inner guest's memory of 2 MiB from 0, at 2 MiB of the memslots; its page tables map the same
  /// 2 MiB at linear address 0 in small pages.
  func boot(marking: Bool = true) {
    for page in 0..<512 as Range<UInt64> { map(page << 12, to: 0x20_0000 + page << 12) }
    let root = 0x20_0000 + Self.root
    poke(root, 0x2007)
    poke(0x20_2000, 0x3007)
    poke(0x20_3000, 0x4007)
    for page in 0..<512 as Range<UInt64> { poke(0x20_4000 + page * 8, page << 12 | 7) }
    _ = machine.vcpu(1, selectSecondLevel: Self.pointer(marking: marking))
  }
}
