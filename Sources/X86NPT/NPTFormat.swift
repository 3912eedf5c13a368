public import Paging
import X86

/// The nested page tables of SVM, as the processor walks them: the host's own paging mode, every
/// access a user access (SPEC E12).
///
/// **Source** AMD APM Vol. 2, "Nested Paging", "Long-Mode Page Translation", "PAE Paging".
@frozen
public struct NPTFormat: SecondLevelFormat, NineBitFormat {
  /// What the processor can do.
  public let capabilities: NPTCapabilities
  /// M-1:12.
  public let addressMask: UInt64
  /// Reserved in every entry: 51:M, in the PAE form 62:M; NX while EFER.NXE=0.
  @usableFromInline let reservedAlways: UInt64

  /// The format on a processor.
  public init(_ capabilities: NPTCapabilities) {
    self.capabilities = capabilities
    let physical = (1 as UInt64) << UInt64(capabilities.physicalAddressWidth) - 1
    addressMask = physical & ~0xFFF
    let highest: UInt64 = capabilities.form == .pae ? ~0 >> 1 : 0x000F_FFFF_FFFF_FFFF
    reservedAlways =
      highest & ~physical & ~capabilities.encryptionMask | (capabilities.noExecute ? 0 : 1 << 63)
  }

  /// An address beyond the width of the form is not present.
  @inlinable
  @inline(__always)
  public func start(_ address: GPA, for access: NPTAccess, at root: TableRoot) -> WalkStart {
    let level = Level(capabilities.levels)
    if address.rawValue &>> UInt64(truncatingIfNeeded: capabilities.inputWidth) != 0 {
      return .refused(.notPresent, level)
    }
    return .table(root.address, level)
  }

  /// Present, then reserved bits, then PS.
  @inlinable
  @inline(__always)
  public func kind(of entry: UInt64, at level: Level) -> EntryKind {
    if entry & 1 == 0 { return .notPresent }
    if entry & reservedAlways != 0 { return .reserved }
    switch level.rawValue {
    case 1: return .leaf
    case 2:
      if entry & 0x80 == 0 { return .table }
      return entry & 0x1F_E000 == 0 ? .leaf : .reserved
    case 3:
      if capabilities.form == .pae {
        return entry & (1 << 63 | 0x1E6) == 0 ? .table : .reserved
      }
      if entry & 0x80 == 0 { return .table }
      return capabilities.pages1GiB && entry & 0x3FFF_E000 == 0 ? .leaf : .reserved
    default: return entry & 0x180 == 0 ? .table : .reserved
    }
  }

  /// Everything granted.
  @inlinable
  public var unrestricted: NPTRights { NPTRights(granted: ~0) }

  /// ANDs R/W and U/S, ORs NX; the top entries of the PAE form have none of them.
  @inlinable
  @inline(__always)
  public func narrow(_ rights: inout NPTRights, by entry: UInt64, at level: Level) {
    if capabilities.form == .pae, level.rawValue == 3 { return }
    rights.granted &= entry ^ 1 << 63
  }

  /// U/S is needed always, R/W by a write, no NX by a fetch.
  @inlinable
  @inline(__always)
  public func permits(
    _ access: NPTAccess, rights: NPTRights, tables: NPTRights, leaf: UInt64
  ) -> Bool {
    let needed: UInt64 =
      switch access.kind {
      case .read: 4
      case .write: 6
      case .fetch: 4 | 1 << 63
      }
    return rights.granted & needed == needed
  }

  /// Sets A (bit 5) where the entry has one, and D (bit 6) in the leaf of a write.
  @inlinable
  @inline(__always)
  public func marked(
    _ entry: UInt64, at level: Level, isLeaf: Bool, by access: NPTAccess
  ) -> UInt64 {
    if capabilities.form == .pae, level.rawValue == 3 { return entry }
    return isLeaf && access.kind == .write ? entry | 0x60 : entry | 0x20
  }

  /// Asks the folded A bits and the leaf's D bit.
  @inlinable
  @inline(__always)
  public func mayBeUnmarked(_ rights: NPTRights, leaf: UInt64, by access: NPTAccess) -> Bool {
    let set = rights.granted & 0x20 | leaf & 0x40
    return ~set & (access.kind == .write ? 0x60 : 0x20) != 0
  }

  /// A nested page fault.
  @inlinable
  public func fault(
    _ cause: FaultCause, at level: Level, _ address: GPA, for access: NPTAccess,
    rights: NPTRights, entry: UInt64
  ) -> NestedPageFault {
    NestedPageFault(info: NPTExitInfo(access, cause), gpa: address)
  }

  /// The rights as the formats share them.
  @inlinable
  public func permissions(of rights: NPTRights) -> Permissions {
    var result: Permissions = .read
    if rights.granted & 2 != 0 { result.insert(.write) }
    if rights.granted & 4 != 0 { result.insert(.user) }
    if rights.granted &>> 63 != 0 { result.insert(.execute) }
    return result
  }

  /// `nPTE`, `nPDE`, `nPDPE`, `nPML4E`, `nPML5E`.
  public func entryName(at level: Level) -> String {
    switch level.rawValue {
    case 1: "nPTE"
    case 2: "nPDE"
    case 3: "nPDPE"
    default: "nPML\(level)E"
    }
  }

  /// A user write, read or update.
  @inlinable
  public func tableAccess(update: Bool, for gva: GVA?) -> NPTAccess {
    NPTAccess(.write, isFinal: false)
  }

  /// The access to the page itself; a user access, whoever the guest is.
  @inlinable
  public func finalAccess(_ kind: AccessKind, isUser: Bool, for gva: GVA) -> NPTAccess {
    NPTAccess(kind, isFinal: true)
  }
}

extension NPTFormat: EntryLegality {
  /// Whether P may be 1 and no reserved bit is.
  public func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool {
    zeros & 1 == 0 && ones & reservedAlways == 0
  }
}

extension NPTFormat: EnumerablePagingFormat {
  /// The top table.
  @inlinable
  public func rootTables(of root: TableRoot) -> RootTables {
    RootTables(RootTable(root.address, at: Level(capabilities.levels)))
  }

  /// 512 entries, four at the top of the PAE form: no walk gets beyond them.
  @inlinable
  public func shape(at level: Level) -> TableShape {
    TableShape(
      entryShift: 3 + 9 * level.rawValue,
      count: capabilities.form == .pae && level.rawValue == 3 ? 4 : 512)
  }
}
