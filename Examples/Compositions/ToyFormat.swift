import MMU
import Machine
import Paging
import X86EPT

/// What is asked of an address of the toy.
struct ToyAccess: MemoryAccess {
  var kind: AccessKind
  var isUser: Bool { false }
}

/// What the toy reports when it refuses.
struct ToyFault: Error, Sendable {
  let cause: FaultCause
  let level: Level
}

/// Three levels of 16 entries: an address has 24 bits, a table 128 bytes. Of an entry bit 0 says
/// "present", bit 1 "writable", bits 23:12 which page; nothing can be executed.
struct ToyFormat: PagingFormat {
  func start(_ address: GVA, for access: ToyAccess, at root: TableRoot) -> WalkStart {
    address.rawValue >> 24 == 0
      ? .table(root.address, Level(3)) : .refused(.nonCanonical, Level(3))
  }

  func index(of address: UInt64, at level: Level) -> UInt64 {
    address >> UInt64(8 + 4 * level.rawValue) & 15
  }

  func kind(of entry: UInt64, at level: Level) -> EntryKind {
    if entry & 1 == 0 { return .notPresent }
    if entry & ~0xFF_F003 != 0 { return .reserved }
    return level == .pageTable ? .leaf : .table
  }

  func table(in entry: UInt64, at level: Level) -> UInt64 { entry & 0xFF_F000 }

  func page(in entry: UInt64, at level: Level) -> PageFrame {
    PageFrame(base: entry & 0xFF_F000, size: .size4KiB)
  }

  var unrestricted: Permissions { [.read, .write] }

  func narrow(_ rights: inout Permissions, by entry: UInt64, at level: Level) {
    if entry & 2 == 0 { rights.remove(.write) }
  }

  func permits(
    _ access: ToyAccess, rights: Permissions, tables: Permissions, leaf: UInt64
  ) -> Bool { rights.contains(access.kind.permission) }

  func marked(_ entry: UInt64, at level: Level, isLeaf: Bool, by access: ToyAccess) -> UInt64 {
    entry
  }

  func fault(
    _ cause: FaultCause, at level: Level, _ address: GVA, for access: ToyAccess,
    rights: Permissions, entry: UInt64
  ) -> ToyFault { ToyFault(cause: cause, level: level) }

  func permissions(of rights: Permissions) -> Permissions { rights }
  func entryName(at level: Level) -> String { "toy entry of level \(level)" }
}

/// A toy guest behind EPT: page 1, 2 and 3 are its tables.
func toyMachine<Policy: MMUPolicy>(
  _ policy: Policy = DefaultPolicy()
) throws -> Machine<FormatRegime<ToyFormat>, TDPMMU<EPTEncoder, Policy>, NoObserver> {
  let mmu = try TDPMMU(encoder: EPTEncoder(ept), policy: policy, memory: ram)
  for (gpa, entry) in [(0x1000, 0x2003), (0x2008, 0x3003), (0x3010, 0x1_2003)] as [(UInt64, UInt64)]
  {
    _ = mmu.memory.view.compareExchange(GPA(gpa), expected: 0, desired: entry)
  }
  return try Machine(
    guests: [FormatRegime(ToyFormat(), root: TableRoot(0x1000))], mmu: mmu)
}
