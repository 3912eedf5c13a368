import Paging

/// RISC-V's three-level paging, to show that the walker knows no x86.
///
/// **Source** RISC-V Privileged Architecture, "Sv39: Page-Based 39-bit Virtual-Memory System", "Svnapot",
/// "Svpbmt", "Svade", "Svadu".
struct Sv39: PagingFormat {
  /// What is asked of an address.
  struct Access: Hashable, Sendable {
    var kind: AccessKind
    var isUser = false
  }

  /// The exception of a walk that ended badly.
  struct Fault: Error, Hashable {
    /// 12 a fetch, 13 a load, 15 a store.
    var scause: Int
    var stval: GVA
    var cause: FaultCause
    var level: Level
    /// Whether a large leaf's address is no multiple of its size.
    var isMisaligned: Bool
  }

  /// sstatus.SUM: supervisor loads and stores may use user pages.
  var sum = false
  /// sstatus.MXR: loads may read executable pages.
  var mxr = false
  /// Hardware sets A and D (Svadu); else a clear one is a page fault (Svade).
  var updatesAD = true
  var hasNAPOT = false
  var hasPBMT = false

  private enum Bit {
    static let read: UInt64 = 1 << 1
    static let write: UInt64 = 1 << 2
    static let execute: UInt64 = 1 << 3
    static let user: UInt64 = 1 << 4
    static let accessed: UInt64 = 1 << 6
    static let dirty: UInt64 = 1 << 7
    static let memoryType: UInt64 = 3 << 61
    static let napot: UInt64 = 1 << 63
    static let pointer: UInt64 = 0xE
  }

  func start(_ address: GVA, for access: Access, at root: TableRoot) -> WalkStart {
    let extended = (Int64(bitPattern: address.rawValue) << 25) >> 25
    guard UInt64(bitPattern: extended) == address.rawValue else {
      return .refused(.nonCanonical, Level(3))
    }
    return .table(root.address, Level(3))
  }

  func index(of address: UInt64, at level: Level) -> UInt64 {
    address >> UInt64(3 + 9 * level.rawValue) & 0x1FF
  }

  func kind(of entry: UInt64, at level: Level) -> EntryKind {
    if entry & 1 == 0 { return .notPresent }
    var reserved: UInt64 = 0x7F << 54
    if !hasPBMT { reserved |= Bit.memoryType }
    if !hasNAPOT { reserved |= Bit.napot }
    if entry & reserved != 0 || entry & Bit.memoryType == Bit.memoryType { return .reserved }
    if entry & Bit.pointer == 0 {
      let forbidden = Bit.user | Bit.accessed | Bit.dirty | Bit.memoryType | Bit.napot
      return entry & forbidden == 0 && level > .pageTable ? .table : .reserved
    }
    if entry & (Bit.read | Bit.write) == Bit.write { return .reserved }
    if entry & Bit.napot != 0 {
      return level == .pageTable && entry >> 10 & 15 == 8 ? .leaf : .reserved
    }
    return isMisaligned(entry, at: level) ? .reserved : .leaf
  }

  func table(in entry: UInt64, at level: Level) -> UInt64 { Self.address(in: entry) }

  func page(in entry: UInt64, at level: Level) -> PageFrame {
    let size = PageSize(shift: entry & Bit.napot != 0 ? 16 : 3 + 9 * level.rawValue)
    return PageFrame(base: Self.address(in: entry) & ~size.offsetMask, size: size)
  }

  var unrestricted: Permissions { .all }

  func narrow(_ rights: inout Permissions, by entry: UInt64, at level: Level) {
    // Only leaves grant; a pointer's R, W and X are clear.
    guard entry & Bit.pointer != 0 else { return }
    if entry & Bit.read == 0 { rights.remove(.read) }
    if entry & Bit.write == 0 { rights.remove(.write) }
    if entry & Bit.execute == 0 { rights.remove(.execute) }
    if entry & Bit.user == 0 { rights.remove(.user) }
  }

  func permits(
    _ access: Access, rights: Permissions, tables: Permissions, leaf: UInt64
  ) -> Bool {
    if access.isUser != rights.contains(.user) {
      guard !access.isUser, sum, access.kind != .fetch else { return false }
    }
    let reads = rights.contains(.read) || (mxr && rights.contains(.execute))
    let isGranted = access.kind == .read ? reads : rights.contains(access.kind.permission)
    return isGranted
      && (updatesAD || marked(leaf, at: .pageTable, isLeaf: true, by: access) == leaf)
  }

  func marked(_ entry: UInt64, at level: Level, isLeaf: Bool, by access: Access) -> UInt64 {
    guard isLeaf else { return entry }
    return entry | Bit.accessed | (access.kind == .write ? Bit.dirty : 0)
  }

  func fault(
    _ cause: FaultCause, at level: Level, _ address: GVA, for access: Access, rights: Permissions,
    entry: UInt64
  ) -> Fault {
    let scause =
      switch access.kind {
      case .fetch: 12
      case .read: 13
      case .write: 15
      }
    let isLeaf = entry & (Bit.read | Bit.execute) != 0 && entry & Bit.napot == 0
    return Fault(
      scause: scause, stval: address, cause: cause, level: level,
      isMisaligned: cause == .reservedBit && isLeaf && entry >> 54 & 0x7F == 0
        && isMisaligned(entry, at: level))
  }

  func permissions(of rights: Permissions) -> Permissions { rights }

  func entryName(at level: Level) -> String { "PTE\(level.rawValue - 1)" }

  private static func address(in entry: UInt64) -> UInt64 { (entry >> 10 & 0xFFF_FFFF_FFFF) << 12 }

  private func isMisaligned(_ entry: UInt64, at level: Level) -> Bool {
    Self.address(in: entry) & PageSize(shift: 3 + 9 * level.rawValue).offsetMask != 0
  }
}
