public import Paging

extension TDPMMU {
  /// What a descent ended at.
  @usableFromInline
  enum Descent {
    /// The entry of the wanted level, and what it holds.
    case entry(HPA, SPTE)
    /// A larger leaf already covers the frame.
    case covered(HPA, SPTE, Level)
    /// Somebody is changing this entry on the way.
    case busy(HPA)
    /// No page is left for a table.
    case exhausted
  }

  /// The address of the entry for a frame in a table.
  @inlinable
  func entry(for gfn: GFN, in table: PFN, at level: Level) -> HPA {
    let index = (gfn.rawValue &>> UInt64(truncatingIfNeeded: 9 &* (level.rawValue &- 1))) & 511
    return table.baseAddress.wrappingAdd(index &* 8)
  }

  @inlinable
  func load(_ entry: HPA) -> SPTE {
    guard case .success(let raw) = host.load(entry, as: UInt64.self) else {
      return encoder.layout.frozen
    }
    return SPTE(raw)
  }

  /// Replaces an entry of a level that still holds `old`.
  @inlinable
  func exchange(_ entry: HPA, from old: SPTE, to new: SPTE, at level: Level) -> Bool {
    // What debug builds ask of a store (SPEC E4).
    assert(encoder.breach(storing: new, over: old, at: level) == nil, "SPTE \(new) over \(old)")
    guard
      case .success(let (exchanged, _)) = host.exchange(
        entry, expected: old.rawValue, desired: new.rawValue)
    else { return false }
    return exchanged
  }

  /// Goes down to a level, linking the tables that are missing.
  ///
  /// - Parameter denied: the level of the page that would be mapped, but that large pages may not be
  ///   executed.
  @inlinable
  func descend(
    to gfn: GFN, at target: Level, insteadOf denied: Level? = nil, on cpu: inout TDPContext,
    _ observer: borrowing some MMUObserver
  ) -> Descent {
    var table = cpu.root
    var level = encoder.rootLevel
    while true {
      let place = entry(for: gfn, in: table, at: level)
      let old = load(place)
      if old == encoder.layout.frozen { return .busy(place) }
      if level == target { return .entry(place, old) }
      if encoder.isPresent(old) {
        if encoder.isLeaf(old, at: level) { return .covered(place, old, level) }
        table = encoder.pfn(of: old)
        level = level.below
        continue
      }
      guard let child = takeTable() else { return .exhausted }
      host.fill(page: child, with: encoder.layout.nonPresent.rawValue)
      let new = encoder.table(child.baseAddress, at: level)
      if exchange(place, from: old, to: new, at: level) {
        cpu.counters.tablesLinked += 1
        notify(observer, .tableLinked(level: level, gfn: gfn, spte: new))
        if let denied, level <= denied { noteNXSplit(child, at: level, for: gfn) }
        table = child
        level = level.below
      } else {
        // Somebody linked a table first: take theirs.
        giveBack(child)
        cpu.counters.racesLost += 1
        notify(observer, .raceLost(level: level, gfn: gfn))
      }
    }
  }

  /// Maps the page that holds a frame; `denied` as for `descend`.
  ///
  /// - Parameter isTracked: whether the frame's writes are to be heard of, as the fault found it.
  @inlinable
  func map(
    _ gfn: GFN, of slot: PlainMemslot, at wanted: Level, insteadOf denied: Level? = nil,
    isTracked: Bool, for kind: AccessKind, on cpu: inout TDPContext,
    _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    var level = wanted
    while true {
      let place: HPA
      let old: SPTE
      switch descend(to: gfn, at: level, insteadOf: denied, on: &cpu, observer) {
      case .busy(let entry):
        waitForEntry(entry, on: &cpu, towards: gfn)
        return .retry
      case .exhausted: return recycle(on: &cpu)
      case .covered(let entry, let spte, let larger):
        if !encoder.permits(kind, spte),
          repaired(spte, at: larger, for: kind, of: slot) == nil
        {
          // It does not grant this frame what is asked: the frame gets an entry of its own.
          let isDenied = denied.map { larger <= $0 } ?? false
          guard
            let isSplit = split(
              entry, spte, at: larger, for: gfn, isDenied: isDenied, on: &cpu, observer)
          else {
            return recycle(on: &cpu)
          }
          if !isSplit { return .retry }
          continue
        }
        (place, old, level) = (entry, spte, larger)
      case .entry(let entry, let spte): (place, old) = (entry, spte)
      }
      if encoder.isPresent(old) {
        if !encoder.isLeaf(old, at: level) {
          // A table is there already: map smaller rather than take it away from others.
          level = level.below
          continue
        }
        if encoder.permits(kind, old) { return .spurious }
        if let new = repaired(old, at: level, for: kind, of: slot) {
          cpu.counters.repaired += 1
          return install(new, over: old, at: place, level, gfn, of: slot, on: &cpu, observer)
        }
      }
      guard let new = leaf(for: gfn, of: slot, at: level, kind, isTracked: isTracked) else {
        return .failed(.unbacked(gfn))
      }
      if new == old || !encoder.permits(kind, new) {
        // What a policy withholds is refused for good, not tried again.
        return encoder.permits(kind, new) ? .spurious : .failed(.denied(gfn.baseAddress))
      }
      return install(new, over: old, at: place, level, gfn, of: slot, on: &cpu, observer)
    }
  }

  /// A present leaf with what tracking took from it, as far as the access needs it (SPEC T7); `nil`
  /// where that does not let the access through. A large leaf of a logged slot stays without W.
  @inlinable
  func repaired(
    _ old: SPTE, at level: Level, for kind: AccessKind, of slot: PlainMemslot
  ) -> SPTE? {
    var new = encoder.accessRestored(old)
    if kind == .write, !encoder.isWritable(new) {
      guard encoder.isMMUWritable(new), encoder.isHostWritable(new),
        level == .pageTable || slot.activeMethod == nil
      else { return nil }
      new = encoder.writeRestored(new)
    }
    return new != old && encoder.permits(kind, new) ? new : nil
  }

  /// Puts a leaf in place and records what it lets through.
  @inlinable
  func install(
    _ new: SPTE, over old: SPTE, at place: HPA, _ level: Level, _ gfn: GFN, of slot: PlainMemslot,
    on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    guard exchange(place, from: old, to: new, at: level) else {
      cpu.counters.racesLost += 1
      notify(observer, .raceLost(level: level, gfn: gfn))
      return .retry
    }
    // Marked after W is there: a mark that were taken before would leave a writable, clean page.
    if let method = slot.activeMethod, encoder.isWritable(new),
      method == .writeProtect || encoder.isDirty(new)
    {
      let frames = (1 as UInt64) << UInt64(9 * (level.rawValue - 1))
      let first = gfn.rawValue & ~(frames &- 1)
      markDirty(first, count: frames, of: slot, by: cpu.dirtyRing)
    }
    cpu.counters.spteInstalls += 1
    notify(observer, .leafInstalled(level: level, gfn: gfn, old: old, new: new))
    return .fixed
  }

  @inlinable
  func leaf(
    for gfn: GFN, of slot: PlainMemslot, at level: Level, _ kind: AccessKind, isTracked: Bool
  ) -> SPTE? {
    let size = PageSize(shift: 3 &+ 9 &* level.rawValue)
    let first = gfn.roundedDown(to: size)
    guard let pfn = slot.pfn(of: first),
      host.contains(pfn.baseAddress, count: Int(size.bytes))
    else { return nil }
    var permissions = Permissions.all.subtracting(policy.withheldPermissions(gfn: gfn))
    if nxHugePages, level > .pageTable { permissions.remove(.execute) }
    var request = LeafRequest(
      pfn: pfn, level: level, permissions: permissions,
      isHostWritable: !slot.flags.contains(.readOnly),
      isWriteProtected: isTracked || findsWritesByFault(slot) && kind != .write,
      isMMUWritable: !isTracked, isWrite: kind == .write,
      suppressesExceptions: !slot.flags.contains(.convertsViolations),
      isDirtyByProtection: slot.flags.contains(.dirtyByProtection))
    if let (type, ignoresPAT) = policy.memoryType(gfn: gfn) {
      request.memoryType = type
      request.ignoresPAT = ignoresPAT
    }
    return encoder.leaf(request)
  }

  /// Whether a clean page of a slot must be without W.
  @inlinable
  func findsWritesByFault(_ slot: PlainMemslot) -> Bool {
    guard let method = slot.activeMethod else { return false }
    return method == .writeProtect || slot.flags.contains(.dirtyByProtection)
  }
}
