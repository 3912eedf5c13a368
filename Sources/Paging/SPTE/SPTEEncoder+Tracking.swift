/// Who finds out that a page was used or written (SPEC E2).
public enum SPTEMarking: UInt64, Sendable, Hashable, CaseIterable {
  /// Hardware, by A and D.
  case hardware = 0
  /// Hardware marks nothing.
  case none = 1
  /// Hardware marks, but only write protection tells that a page was written.
  case writeProtectOnly = 2
}

extension SPTEEncoder {
  /// A present entry whose A and D mean something else; unchanged where the layout has no room to say
  /// so, or hardware keeps neither.
  @inlinable
  public func withMarking(_ marking: SPTEMarking, _ spte: SPTE) -> SPTE {
    let masks = layout.masks
    guard marking != .hardware, masks.adKind != 0, masks.accessed != 0 else { return spte }
    let kind = marking.rawValue &<< UInt64(masks.adKind.trailingZeroBitCount)
    let marks = marking == .none ? masks.accessed | masks.dirty : 0
    return SPTE(spte.rawValue & ~(masks.adKind | marks) | kind)
  }
}

/// How entries change for ageing, dirty logging and lock-free repair.
extension SPTEEncoder {
  /// Whether a present leaf has been used since it was last aged: A, or not being access-tracked where
  /// hardware keeps no A (SPEC T4).
  @inlinable
  public func isAccessed(_ spte: SPTE) -> Bool {
    hasHardwareAD(spte)
      ? spte.rawValue & layout.masks.accessed != 0 : !isAccessTracked(spte)
  }

  /// Whether hardware has set D in a present leaf.
  @inlinable
  @inline(__always)  // PERF: dirtylog.round; as `permits`.
  public func isDirty(_ spte: SPTE) -> Bool {
    hasHardwareAD(spte) && spte.rawValue & layout.masks.dirty != 0
  }

  /// Whether the host allows writes through a present leaf.
  @inlinable
  public func isHostWritable(_ spte: SPTE) -> Bool {
    spte.rawValue & layout.masks.hostWritable != 0
  }

  /// The leaf as if nobody had used it (SPEC E3): A cleared where hardware keeps it, which needs no
  /// flush; else R and X saved and taken away with W. A tracked leaf comes back unchanged.
  @inlinable
  public func aged(_ spte: SPTE) -> SPTE {
    let masks = layout.masks
    if hasHardwareAD(spte) { return SPTE(spte.rawValue & ~masks.accessed) }
    if isAccessTracked(spte) || masks.savedReadable == 0 { return spte }
    let raw = spte.rawValue
    var next = raw & ~(masks.readable | masks.writable | masks.executable | userExecute)
    if raw & masks.readable != 0 { next |= masks.savedReadable }
    if raw & masks.executable != 0 { next |= masks.savedExecutable }
    if raw & userExecute != 0 { next |= masks.savedUserExecutable }
    return SPTE(next)
  }

  /// A tracked leaf with R and X as they were; any other unchanged. W is never saved.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func accessRestored(_ spte: SPTE) -> SPTE {
    guard isAccessTracked(spte) else { return spte }
    let masks = layout.masks
    let raw = spte.rawValue
    var next = raw & ~savedMask
    if raw & masks.savedReadable != 0 { next |= masks.readable }
    if raw & masks.savedExecutable != 0 { next |= masks.executable }
    if raw & masks.savedUserExecutable != 0 { next |= userExecute }
    return SPTE(next)
  }

  /// A leaf that may be executed; a tracked one will be when it is restored (SPEC E18).
  @inlinable
  @inline(__always)  // PERF: split.2m; as `permits`.
  public func executionGranted(_ spte: SPTE) -> SPTE {
    let masks = layout.masks
    let raw = spte.rawValue & ~masks.noExecute
    return isAccessTracked(spte)
      ? SPTE(raw | masks.savedExecutable | masks.savedUserExecutable)
      : SPTE(raw | masks.executable | userExecute)
  }

  /// A leaf that may not be executed, not even when a tracked one is restored (SPEC E18).
  @inlinable
  public func executionDenied(_ spte: SPTE) -> SPTE {
    let masks = layout.masks
    let granted =
      masks.executable | userExecute | masks.savedExecutable | masks.savedUserExecutable
    return SPTE(spte.rawValue & ~granted | masks.noExecute)
  }

  /// A leaf without W; what tells that the MMU may give it back stays.
  @inlinable
  @inline(__always)  // PERF: dirtylog.round; as `permits`.
  public func writeProtected(_ spte: SPTE) -> SPTE {
    SPTE(spte.rawValue & ~layout.masks.writable)
  }

  /// A leaf with W and, where hardware keeps it, D. **Requires** that the MMU may give W back.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1; an encoder is copied for a call.
  public func writeRestored(_ spte: SPTE) -> SPTE {
    let dirty = hasHardwareAD(spte) ? layout.masks.dirty : 0
    return SPTE(spte.rawValue | layout.masks.writable | dirty)
  }

  /// A leaf without D.
  @inlinable
  @inline(__always)  // PERF: dirtylog.round; as `permits`.
  public func cleaned(_ spte: SPTE) -> SPTE { SPTE(spte.rawValue & ~layout.masks.dirty) }

  /// What is wrong with an entry by itself: `nil`, or the rule of SPEC E1, E3, E4 or E9 that it breaks.
  public func breach(of spte: SPTE, at level: Level) -> String? {
    let masks = layout.masks
    let raw = spte.rawValue
    guard isPresent(spte) else {
      if isVacant(spte) || isMMIO(spte) { return nil }
      return "an entry that is neither present, MMIO nor the non-present value"
    }
    guard isLeaf(spte, at: level) else {
      return format.kind(of: raw, at: level) == .table
        ? nil : "a table entry that hardware does not walk"
    }
    if !isAccessTracked(spte) {
      let kind = format.kind(of: raw, at: level)
      let grantsNothing =
        !permits(.read, spte) && !permits(.fetch, spte) && !permits(.write, spte)
      guard kind == .leaf || (kind == .notPresent && grantsNothing) else {
        return "a leaf that hardware does not walk"
      }
    } else if hasHardwareAD(spte) {
      return "saved rights in an entry whose A hardware keeps"
    } else if raw & (masks.readable | masks.writable | masks.executable) != 0 {
      return "rights in an access-tracked entry"
    }
    let agrees =
      isHostWritable(spte)
      ? isMMUWritable(spte) || !isWritable(spte) : !isMMUWritable(spte) && !isWritable(spte)
    return agrees
      ? nil : "host-writable, MMU-writable and W do not agree"
  }

  /// What is wrong with storing an entry over another: `nil`, or the rule of SPEC E1, E3, E4 or E9 that
  /// it breaks by itself, or by another host-writable bit for a page that stays mapped.
  ///
  /// What debug builds ask at every store of an entry; the frozen value passes.
  public func breach(storing new: SPTE, over old: SPTE, at level: Level) -> String? {
    if new == layout.frozen { return nil }
    if let breach = breach(of: new, at: level) { return breach }
    guard isPresent(old), isPresent(new), isLeaf(old, at: level), isLeaf(new, at: level),
      pfn(of: old) == pfn(of: new), isHostWritable(old) != isHostWritable(new)
    else { return nil }
    return "host-writable changes while the entry is present"
  }

  /// Bit 10 of EPT under mode-based execution; 0 where the bit of that role means something else.
  @inlinable
  var userExecute: UInt64 { layout.masks.savedUserExecutable == 0 ? 0 : layout.masks.user }

  @inlinable
  var savedMask: UInt64 {
    layout.masks.savedReadable | layout.masks.savedExecutable
      | layout.masks.savedUserExecutable
  }
}
