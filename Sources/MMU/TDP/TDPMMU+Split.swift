public import Paging

extension TDPMMU {
  /// Puts a table of small leaves in the place of a large one (SPEC E18).
  ///
  /// - Parameter isDenied: whether it gives way to a fetch that large pages are denied.
  /// - Returns: false where somebody else changed the entry first; `nil` where no page is left.
  @usableFromInline
  func split(
    _ place: HPA, _ old: SPTE, at level: Level, for gfn: GFN, isDenied: Bool,
    on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> Bool? {
    guard let new = split(place, old, at: level, for: gfn) else { return nil }
    guard let new else {
      cpu.counters.racesLost += 1
      notify(observer, .raceLost(level: level, gfn: gfn))
      return false
    }
    cpu.counters.tablesLinked += 1
    cpu.counters.splits += 1
    if isDenied { noteNXSplit(encoder.pfn(of: new), at: level, for: gfn) }
    notify(observer, .tableLinked(level: level, gfn: gfn, spte: new))
    return true
  }

  /// - Returns: the new entry; `.some(nil)` where the race was lost, `nil` where no page is left.
  @inlinable
  func split(_ place: HPA, _ old: SPTE, at level: Level, for gfn: GFN) -> SPTE?? {
    guard let table = takeTable() else { return nil }
    fill(table, withPartsOf: old, at: level, for: gfn)
    let new = encoder.table(table.baseAddress, at: level)
    guard exchange(place, from: old, to: new, at: level) else {
      giveBack(table)
      return .some(nil)
    }
    return new
  }

  /// Fills a page that nobody sees yet with the small leaves of a large one.
  @inlinable
  func fill(_ table: PFN, withPartsOf large: SPTE, at level: Level, for gfn: GFN) {
    // PERF: split.2m; the parts differ in their address and in nothing else, but for execution that a
    // policy gives back to some.
    let step = span(of: level.below) &<< 12
    let part = encoder.child(of: large, at: level, index: 0).rawValue
    guard nxHugePages, level.below == .pageTable else {
      return host.fill(page: table) { index in part | index &* step }
    }
    let first = gfn.rawValue & ~(span(of: level) &- 1)
    let executable =
      encoder.child(of: large, at: level, index: 0, returnsExecution: true).rawValue
    host.fill(page: table) { index in
      (returnsExecution(to: GFN(first &+ index)) ? executable : part) | index &* step
    }
  }

  /// Splits the large pages of a range down to 4 KiB (SPEC T3, eager split).
  ///
  /// No flush is needed: every small page translates as the large one did.
  ///
  /// - Parameters:
  ///   - range: the frames whose pages are split.
  ///   - budget: the most table pages to spend. **Units** pages.
  /// - Returns: how many were spent, and whether no large page is left.
  @inlinable
  public func splitLargePages(
    in range: Range<GFN>, budget: Int
  ) -> (splits: Int, isComplete: Bool) {
    withRoots { roots in
      var splits = 0
      var isComplete = true
      forEachLeaf(among: range.rawValues, downTo: .directory, roots) { place, spte, level, gfn in
        guard splits < budget else {
          isComplete = false
          return
        }
        var seen = spte
        while true {
          guard let result = split(place, seen, at: level, for: GFN(gfn)) else {
            isComplete = false
            return
          }
          if result != nil { break }
          // Hardware set A or D meanwhile, or somebody split first.
          seen = load(place)
          guard encoder.isPresent(seen), encoder.isLeaf(seen, at: level) else { return }
        }
        splits += 1
      }
      return (splits, isComplete)
    }
  }

  /// Puts large leaves in the place of tables whose slots allow it (SPEC E18, collapse).
  ///
  /// A table is replaced only where all that it maps is one run with equal rights.
  ///
  /// - Returns: the number of tables replaced.
  public func collapse(in range: Range<GFN>) -> Int {
    let slots = currentSlots()
    return withRootsOfSpaces { roots in
      var pages: [PFN] = []
      for (root, space) in roots {
        let slots = slots[space.rawValue]
        collapse(root, at: encoder.rootLevel, first: 0, range.rawValues, slots, &pages)
      }
      if !pages.isEmpty { memory.noteChange(.collapse, of: range) }
      walkers.synchronize(pacing)
      for page in pages { giveBack(page) }
      return pages.count
    }
  }

  private func collapse(
    _ table: PFN, at level: Level, first: UInt64, _ range: Range<UInt64>, _ slots: MemslotTable,
    _ pages: inout [PFN]
  ) {
    guard level > .pageTable else { return }
    var hint = 0
    forEachEntry(of: table, at: level, first: first, in: range) { place, spte, gfn in
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else { return }
      let child = encoder.pfn(of: spte)
      collapse(child, at: level.below, first: gfn, range, slots, &pages)
      // What a fetch has split stays so until it is recovered.
      if nxSplits.contains(child) { return }
      guard level <= encoder.largestLeafLevel, !notifier.blocks(GFN(gfn), frames: span(of: level)),
        let slot = slots.slot(for: GFN(gfn), hint: &hint),
        memory.attributes.isUniform(GFN(gfn)..<GFN(gfn &+ span(of: level))),
        let slot = memory.attributes.isPrivate(GFN(gfn)) ? slot.privateSide : slot,
        slot.largestLevel(for: GFN(gfn), upTo: level) == level,
        exchange(place, from: spte, to: encoder.layout.frozen, at: level)
      else { return }
      let olds = freeze(child)
      if let base = slot.pfn(of: GFN(gfn)), let large = merged(olds, base: base, at: level) {
        _ = host.swap(place, to: large.rawValue)
        pages.append(child)
      } else {
        for (index, old) in olds.enumerated() {
          _ = host.swap(child.baseAddress.wrappingAdd(UInt64(index) * 8), to: old.rawValue)
        }
        _ = host.swap(place, to: spte.rawValue)
      }
    }
  }

  /// Freezes every entry of a table, so that nobody changes it any more.
  ///
  /// - Returns: what the entries held.
  func freeze(_ table: PFN) -> [SPTE] {
    (0..<512 as Range<UInt64>).map { index in
      let place = table.baseAddress.wrappingAdd(index * 8)
      guard case .success(let old) = host.swap(place, to: encoder.layout.frozen.rawValue) else {
        return encoder.layout.nonPresent
      }
      return SPTE(old)
    }
  }

  /// The large leaf that maps what small ones map, or `nil` where they are not of one kind.
  private func merged(_ olds: [SPTE], base: PFN, at level: Level) -> SPTE? {
    let masks = encoder.layout.masks
    let rights =
      masks.readable | masks.executable | masks.noExecute | masks.user | masks.hostWritable
      | masks.mmuWritable | masks.memoryType | masks.ignorePAT | masks.adKind
    var model: UInt64?
    var marks: UInt64 = 0
    for (index, old) in olds.enumerated() where encoder.isPresent(old) {
      guard encoder.isLeaf(old, at: level.below),
        encoder.pfn(of: old) == base.wrappingAdd(UInt64(index) * span(of: level.below))
      else { return nil }
      let raw = encoder.accessRestored(old).rawValue
      if let model, (model ^ raw) & rights != 0 { return nil }
      model = model ?? raw
      marks |= raw & (masks.accessed | masks.dirty)
    }
    guard let model else { return nil }
    var raw = model & ~masks.address | base.baseAddress.rawValue | masks.pageSize | marks
    if raw & masks.mmuWritable != 0 { raw |= masks.writable }
    return nxHugePages ? encoder.executionDenied(SPTE(raw)) : SPTE(raw)
  }
}
