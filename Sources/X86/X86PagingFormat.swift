public import Paging

/// What the paging modes of x86 share: rights, accesses, faults, and the A and D bits.
///
/// A mode adds its geometry and its reserved bits and nothing else.
public protocol X86PagingFormat: PagingFormat
where Input == GuestVirtual, Access == X86Access, Rights == X86Rights, Fault == X86Fault {
  /// The access rules in force.
  var controls: X86Controls { get }
}

extension X86PagingFormat {
  /// Everything granted.
  @inlinable
  public var unrestricted: X86Rights { X86Rights(granted: ~0) }

  /// ANDs R/W and U/S, ORs XD.
  @inlinable
  @inline(__always)
  public func narrow(_ rights: inout X86Rights, by entry: Entry, at level: Level) {
    rights.granted &= UInt64(entry) ^ X86Rights.executeBit
  }

  /// Judges by `controls`.
  @inlinable
  @inline(__always)
  public func permits(
    _ access: X86Access, rights: X86Rights, tables: X86Rights, leaf: Entry
  ) -> Bool {
    controls.permit(access, rights: rights, tables: tables, leaf: UInt64(leaf))
  }

  /// Sets A (bit 5), and D (bit 6) in the leaf of a write.
  ///
  /// **Source** Intel SDM Vol. 3A, "Accessed and Dirty Flags".
  @inlinable
  @inline(__always)
  public func marked(
    _ entry: Entry, at level: Level, isLeaf: Bool, by access: X86Access
  ) -> Entry {
    isLeaf && access.isWrite ? entry | 0x60 : entry | 0x20
  }

  /// Asks the folded A bits and the leaf's D bit.
  @inlinable
  @inline(__always)
  public func mayBeUnmarked(_ rights: X86Rights, leaf: Entry, by access: X86Access) -> Bool {
    // PERF: walk.checked.sequential; A is folded with the rights, so it costs nothing a level.
    let set = rights.granted & 0x20 | UInt64(leaf) & 0x40
    return ~set & (access.isWrite ? 0x60 : 0x20) != 0
  }

  /// Builds #PF, #GP or #SS.
  @inlinable
  public func fault(
    _ cause: FaultCause, at level: Level, _ address: GVA, for access: X86Access,
    rights: X86Rights, entry: Entry
  ) -> X86Fault {
    switch cause {
    case .nonCanonical, .forbiddenAddress:
      X86Fault(
        vector: access.isStack ? X86Fault.stackFaultVector : X86Fault.generalProtectionVector,
        errorCode: [], address: address, cause: cause, level: level)
    case .notPresent, .reservedBit, .permission:
      X86Fault(
        vector: X86Fault.pageFaultVector,
        errorCode: controls.errorCode(cause, for: access, rights: rights, leaf: UInt64(entry)),
        address: address, cause: cause, level: level)
    }
  }

  /// The rights as the formats share them.
  @inlinable
  public func permissions(of rights: X86Rights) -> Permissions { rights.permissions }

  /// `PTE`, `PDE`, `PDPTE`, `PML4E`, `PML5E`.
  public func entryName(at level: Level) -> String {
    switch level.rawValue {
    case 1: "PTE"
    case 2: "PDE"
    case 3: "PDPTE"
    default: "PML\(level)E"
    }
  }
}
