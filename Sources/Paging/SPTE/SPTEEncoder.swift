/// Writes the entries that one kind of hardware walks.
///
/// A conformer says how a leaf and a table entry look and which hardware format reads them; all that
/// is common to encoders follows from the layout's masks.
public protocol SPTEEncoder: Sendable {
  /// The hardware format that walks what this encoder writes.
  associatedtype Format: PagingFormat where Format.Entry == UInt64

  /// Where everything is in an entry.
  var layout: SPTELayout { get }
  /// The hardware's view of the entries.
  var format: Format { get }
  /// The level of the root table's entries.
  var rootLevel: Level { get }
  /// The largest level that may hold a leaf.
  var largestLeafLevel: Level { get }

  /// A leaf that maps a page.
  func leaf(_ request: LeafRequest) -> SPTE
  /// The width of the guest physical addresses that the tables translate. **Units** bits.
  var inputWidth: Int { get }

  /// An entry that points to a table.
  func table(_ child: HPA) -> SPTE
  /// An entry of a level that points to a table.
  func table(_ child: HPA, at level: Level) -> SPTE
  /// The hardware's root for a table.
  func root(_ table: HPA) -> Format.Root
}

extension SPTEEncoder {
  /// Nine bits a level, and 12 in the page.
  @inlinable
  public var inputWidth: Int { 12 &+ 9 &* rootLevel.rawValue }

  /// Alike at every level.
  @inlinable
  public func table(_ child: HPA, at level: Level) -> SPTE { table(child) }

  /// Whether the MMU regards the entry as present (SPEC E1).
  @inlinable
  public func isPresent(_ spte: SPTE) -> Bool { spte.rawValue & layout.masks.mmuPresent != 0 }

  /// Whether the entry maps nothing and stands for nothing.
  @inlinable
  public func isVacant(_ spte: SPTE) -> Bool {
    spte == layout.nonPresent || spte == layout.noTrap
  }

  /// Whether the entry caches "no memslot here".
  @inlinable
  public func isMMIO(_ spte: SPTE) -> Bool { layout.mmio?.matches(spte) ?? false }

  /// Whether a present entry at a level maps a page.
  @inlinable
  public func isLeaf(_ spte: SPTE, at level: Level) -> Bool {
    level == .pageTable || spte.rawValue & layout.masks.pageSize != 0
  }

  /// The frame that a present entry points to.
  @inlinable
  public func pfn(of spte: SPTE) -> PFN { HPA(spte.rawValue & layout.masks.address).frame }

  /// Whether hardware may write through a present leaf.
  @inlinable
  public func isWritable(_ spte: SPTE) -> Bool { spte.rawValue & layout.masks.writable != 0 }

  /// Whether the MMU may give W back without asking (SPEC E4).
  @inlinable
  public func isMMUWritable(_ spte: SPTE) -> Bool {
    spte.rawValue & layout.masks.mmuWritable != 0
  }

  /// Whether accesses are found by taking R and X away (SPEC E3).
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func isAccessTracked(_ spte: SPTE) -> Bool {
    let masks = layout.masks
    let saved = masks.savedReadable | masks.savedExecutable | masks.savedUserExecutable
    return isPresent(spte) && spte.rawValue & saved != 0
  }

  /// Whether hardware keeps A and D in the entry (SPEC E2).
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func hasHardwareAD(_ spte: SPTE) -> Bool {
    let masks = layout.masks
    guard masks.accessed != 0 else { return false }
    guard masks.adKind != 0 else { return true }
    return (spte.rawValue & masks.adKind) &>> UInt64(masks.adKind.trailingZeroBitCount) != 1
  }

  /// Whether writes through an entry are found by taking W away alone: A/D kind 1 or 2 (SPEC E2).
  @inlinable
  @inline(__always)  // PERF: dirtylog.round; as `permits`.
  public func isDirtyByProtection(_ spte: SPTE) -> Bool {
    spte.rawValue & layout.masks.adKind != 0
  }

  /// Whether a present leaf lets an access through as it stands (SPEC E10).
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func permits(_ kind: AccessKind, _ spte: SPTE) -> Bool {
    let masks = layout.masks
    switch kind {
    case .read: return masks.readable == 0 || spte.rawValue & masks.readable != 0
    case .write: return spte.rawValue & masks.writable != 0
    case .fetch:
      if masks.executable != 0 { return spte.rawValue & masks.executable != 0 }
      return spte.rawValue & masks.noExecute == 0
        && (masks.readable == 0 || spte.rawValue & masks.readable != 0)
    }
  }

  /// Whether other processors may still hold more than the new leaf grants (SPEC E5): MMU-writable
  /// is lost. **Requires** present leaves of one frame.
  @inlinable
  public func needsFlush(from old: SPTE, to new: SPTE) -> Bool {
    isMMUWritable(old) && !isMMUWritable(new)
  }

  /// An MMIO entry, or `nil` where caching is off or the GFN cannot be held.
  @inlinable
  public func mmio(gfn: GFN, permissions: Permissions, generation: UInt64) -> SPTE? {
    guard let mmio = layout.mmio else { return nil }
    let access =
      (permissions.contains(.write) ? 2 : 0 as UInt64) | (permissions.contains(.user) ? 4 : 0)
    return mmio.encode(gfn: gfn, access: access, generation: generation)
  }

  /// Whether an entry that a malformed-entry exit leads to has been taken away meanwhile (SPEC F2): it
  /// holds the non-present or the frozen value, or is an MMIO entry of which a 32-bit host has cleared
  /// the low word and not yet the high one.
  @inlinable
  public func isZapped(_ spte: SPTE) -> Bool {
    if spte == layout.nonPresent || spte == layout.frozen { return true }
    guard let mask = layout.mmio?.mask, layout.isWrittenByHalves else { return false }
    let high = ~0 as UInt64 &<< 32
    return spte.rawValue & ~high == 0 && spte.rawValue & mask.mask & high == mask.value & high
      && mask.mask & high != 0
  }

  /// A small leaf of a large one that is split (SPEC E18).
  ///
  /// - Parameters:
  ///   - spte: the present large leaf.
  ///   - level: its level.
  ///   - index: which of its 512 parts.
  ///   - returnsExecution: the large leaf was denied execution only for being large, so that parts of
  ///     4 KiB get it back.
  @inlinable
  @inline(__always)  // PERF: split.2m; as `permits`.
  public func child(
    of spte: SPTE, at level: Level, index: UInt64, returnsExecution: Bool = false
  ) -> SPTE {
    let below = level.below
    let step = (1 as UInt64) &<< UInt64(3 &+ 9 &* below.rawValue)
    var raw = spte.rawValue | (index & 511) &* step
    guard below == .pageTable else { return SPTE(raw) }
    raw &= ~layout.masks.pageSize
    return returnsExecution ? executionGranted(SPTE(raw)) : SPTE(raw)
  }
}
