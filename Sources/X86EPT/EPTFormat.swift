public import Paging

/// The extended page tables of VMX, as the processor walks them.
///
/// `.reserved` entries are misconfigurations; a misconfiguration lower down beats a rights violation
/// higher up, because rights are judged on the whole walk (SPEC E13).
///
/// **Source** Intel SDM Vol. 3C, "EPT Translation Mechanism", "EPT Misconfigurations".
@frozen
public struct EPTFormat: SecondLevelFormat, NineBitFormat {
  /// What the processor can do.
  public let capabilities: EPTCapabilities
  /// M-1:12.
  public let addressMask: UInt64
  /// Bits 51:M.
  @usableFromInline let reservedHigh: UInt64
  /// R, W, X, and user execute with mode-based execution.
  @usableFromInline let presentMask: UInt64
  /// X, and user execute with mode-based execution.
  @usableFromInline let executeMask: UInt64

  /// The format on a processor.
  public init(_ capabilities: EPTCapabilities) {
    self.capabilities = capabilities
    let physical = (1 as UInt64) << UInt64(capabilities.physicalAddressWidth) - 1
    addressMask = physical & ~0xFFF
    reservedHigh = 0x000F_FFFF_FFFF_FFFF & ~physical
    executeMask = 4 | (capabilities.modeBasedExecution ? 1 << 10 : 0)
    presentMask = 3 | executeMask
  }

  /// The value of an EPTP for a table: memory type WB, the walk length, the A/D flag.
  ///
  /// **Source** Intel SDM Vol. 3C, "Extended-Page-Table Pointer (EPTP)".
  public func eptp(_ root: TableRoot) -> UInt64 {
    root.address & addressMask | 6 | UInt64(capabilities.levels - 1) << 3
      | (capabilities.accessedDirty ? 1 << 6 : 0)
  }

  /// The root that an EPTP names, or `nil` where VM entry would fail: type not 0 or 6, a walk length
  /// that is not this format's, A/D where the processor has none, bits 11:8 or 63:M set.
  public func root(eptp: UInt64) -> TableRoot? {
    let isTyped = eptp & 7 == 0 || eptp & 7 == 6
    let flags: UInt64 = capabilities.accessedDirty ? 0xF00 : 0xF40
    let isReservedClear = eptp & (flags | ~addressMask & ~0xFFF) == 0
    guard isTyped, isReservedClear, eptp >> 3 & 7 == UInt64(capabilities.levels - 1) else {
      return nil
    }
    return TableRoot(eptp & addressMask)
  }

  /// An address beyond the walk's width (48 or 57 bits) is a violation.
  ///
  /// **Source** Intel SDM Vol. 3C, "EPT Translation Mechanism".
  @inlinable
  @inline(__always)
  public func start(_ address: GPA, for access: EPTAccess, at root: TableRoot) -> WalkStart {
    let level = Level(capabilities.levels)
    return isInWidth(address) ? .table(root.address, level) : .refused(.notPresent, level)
  }

  @inlinable
  @inline(__always)
  func isInWidth(_ address: GPA) -> Bool {
    address.rawValue &>> UInt64(truncatingIfNeeded: 12 &+ 9 &* capabilities.levels) == 0
  }

  /// Present if any of R, W, X; then the misconfigurations.
  @inlinable
  @inline(__always)
  public func kind(of entry: UInt64, at level: Level) -> EntryKind {
    // PERF: walk.2d.4k; one test tells the entries that nearly all tables consist of.
    if level.rawValue > 1 {
      if (entry ^ 7) & (reservedHigh | 0xFF) == 0 { return .table }
    } else if (entry ^ 0x37) & (reservedHigh | 0x3F) == 0 {
      return .leaf
    }
    return rareKind(of: entry, at: level)
  }

  /// `kind(of:at:)`, rule by rule.
  @inlinable
  func rareKind(of entry: UInt64, at level: Level) -> EntryKind {
    if entry & presentMask == 0 { return .notPresent }
    if entry & 1 == 0 {
      // W without R, or X without R and without the capability.
      if entry & 2 != 0 || !capabilities.executeOnly { return .reserved }
    }
    if entry & reservedHigh != 0 { return .reserved }
    let isLeaf =
      level.rawValue == 1 || (entry & 0x80 != 0 && level.rawValue <= 3)
    guard isLeaf else {
      let reserved: UInt64 = level.rawValue > 3 ? 0xF8 : 0x78
      return entry & reserved == 0 ? .table : .reserved
    }
    switch entry &>> 3 & 7 {
    case 2, 3, 7: return .reserved
    default: break
    }
    switch level.rawValue {
    case 1: return .leaf
    case 2: return capabilities.pages2MiB && entry & 0x1F_F000 == 0 ? .leaf : .reserved
    default: return capabilities.pages1GiB && entry & 0x3FFF_F000 == 0 ? .leaf : .reserved
    }
  }

  /// Everything granted.
  @inlinable
  public var unrestricted: EPTRights { EPTRights(granted: presentMask | 0x100) }

  /// ANDs R, W, X and user execute.
  @inlinable
  @inline(__always)
  public func narrow(_ rights: inout EPTRights, by entry: UInt64, at level: Level) {
    rights.granted &= entry
  }

  /// Read needs R, write W, fetch X; with mode-based execution a user page's fetch needs bit 10.
  @inlinable
  @inline(__always)
  public func permits(
    _ access: EPTAccess, rights: EPTRights, tables: EPTRights, leaf: UInt64
  ) -> Bool {
    let needed: UInt64 =
      switch access.kind {
      case .read: 1
      case .write: 2
      case .fetch: capabilities.modeBasedExecution && access.isUserPage ? 1 << 10 : 4
      }
    return rights.granted & needed != 0
  }

  /// Sets A (bit 8), and D (bit 9) in the leaf of a write, where EPTP bit 6 is set.
  ///
  /// **Source** Intel SDM Vol. 3C, "Accessed and Dirty Flags for EPT".
  @inlinable
  @inline(__always)
  public func marked(
    _ entry: UInt64, at level: Level, isLeaf: Bool, by access: EPTAccess
  ) -> UInt64 {
    guard capabilities.accessedDirty else { return entry }
    return isLeaf && access.kind == .write ? entry | 0x300 : entry | 0x100
  }

  /// Asks the folded A bits and the leaf's D bit.
  @inlinable
  @inline(__always)
  public func mayBeUnmarked(_ rights: EPTRights, leaf: UInt64, by access: EPTAccess) -> Bool {
    guard capabilities.accessedDirty else { return false }
    let set = rights.granted & 0x100 | leaf & 0x200
    return ~set & (access.kind == .write ? 0x300 : 0x100) != 0
  }

  /// A violation or a misconfiguration.
  @inlinable
  public func fault(
    _ cause: FaultCause, at level: Level, _ address: GPA, for access: EPTAccess,
    rights: EPTRights, entry: UInt64
  ) -> EPTExit {
    if cause == .reservedBit {
      return .misconfiguration(EPTMisconfiguration(gpa: address, level: level, entry: entry))
    }
    // Past the walk's width no entry was used: none grants anything, none asks for a #VE.
    let isWalked = isInWidth(address)
    return .violation(
      EPTViolation(
        gpa: address, gva: access.gva,
        qualification: EPTQualification(
          access, rights: isWalked ? rights : EPTRights(granted: 0)),
        isConvertible: isWalked && entry &>> 63 == 0, level: level))
  }

  /// The rights as the formats share them; EPT knows no user mode, so `user` is always granted.
  @inlinable
  public func permissions(of rights: EPTRights) -> Permissions {
    Permissions(rawValue: UInt8(truncatingIfNeeded: rights.granted & 7) | 8)
  }

  /// `EPT PTE`, `EPT PDE`, `EPT PDPTE`, `EPT PML4E`, `EPT PML5E`.
  public func entryName(at level: Level) -> String {
    switch level.rawValue {
    case 1: "EPT PTE"
    case 2: "EPT PDE"
    case 3: "EPT PDPTE"
    default: "EPT PML\(level)E"
    }
  }

  /// With A and D on every access to a guest table entry counts as a write and is reported as read
  /// and write (SPEC E14).
  @inlinable
  public func tableAccess(update: Bool, for gva: GVA?) -> EPTAccess {
    let counts = update || (capabilities.accessedDirty && gva != nil)
    return EPTAccess(
      counts ? .write : .read, reported: counts ? 3 : 1, isFinal: false, gva: gva)
  }

  /// The access to the page itself.
  @inlinable
  public func finalAccess(_ kind: AccessKind, isUser: Bool, for gva: GVA) -> EPTAccess {
    EPTAccess(
      kind, reported: EPTAccess.reportedBits(of: kind), isFinal: true, isUserPage: isUser,
      gva: gva)
  }
}

extension EPTFormat: EntryLegality {
  /// Tries every choice of the unknown present and type bits (SPEC E6).
  public func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool {
    if ones & reservedHigh != 0 { return false }
    let choices = presentMask | 0x38
    let free = choices & ~(ones | zeros)
    // Every subset of the free bits, by the usual subtract-and-mask step.
    var subset = free
    while true {
      if kind(of: ones & choices | subset, at: .pageTable) == .leaf { return true }
      if subset == 0 { return false }
      subset = (subset &- 1) & free
    }
  }
}

extension EPTFormat: EnumerablePagingFormat {
  /// The EPT PML4 or PML5 table.
  @inlinable
  public func rootTables(of root: TableRoot) -> RootTables {
    RootTables(RootTable(root.address, at: Level(capabilities.levels)))
  }
}
