import Paging
import Synchronization

extension TDPMMU {
  /// Compares all tables with the memslots and with themselves (SPEC F18). **Requires** that no vCPU is
  /// inside.
  ///
  /// - Returns: one line for each breach: an entry that breaks a rule by itself, a leaf that leads
  ///   elsewhere than its slot, that is larger than the slot allows, or that lets writes pass a log
  ///   unseen; a table page that is lost or used twice.
  public func audit() -> [String] { audit(besides: []) }

  /// - Parameter others: table pages of the pool that this MMU's roots do not lead to.
  func audit(besides others: Set<PFN>) -> [String] {
    let slots = memory.spaces.map { memory.slots(of: $0) }
    let state = roots.snapshot.state
    return roots.withState { roots, spares in
      var report = AuditReport(pages: others)
      for root in roots {
        report.hint = 0
        // A root that was replaced waits for vCPUs that never walk it again: slots have changed since.
        let space = state.spaces[root] ?? .normal
        let isInForce = state.current[space.rawValue] == root
        audit(
          root, at: encoder.rootLevel, first: 0, isInForce ? slots[space.rawValue] : nil, &report)
      }
      let inUse = pool.inUse - spares
      if inUse != report.pages.count {
        report.lines.append(
          "\(inUse) table pages in use, \(report.pages.count) reachable from roots")
      }
      return report.lines
    }
  }

  private struct AuditReport {
    var lines: [String] = []
    var pages: Set<PFN>
    var hint = 0
  }

  private func audit(
    _ table: PFN, at level: Level, first: UInt64, _ slots: MemslotTable?,
    _ report: inout AuditReport
  ) {
    if !report.pages.insert(table).inserted {
      report.lines.append("table page \(table) is linked twice")
      return
    }
    for index in 0..<512 as Range<UInt64> {
      let spte = load(table.baseAddress.wrappingAdd(index * 8))
      let gfn = first &+ index &* span(of: level)
      if let breach = encoder.breach(of: spte, at: level) {
        report.lines.append("frame \(GFN(gfn)) level \(level) entry \(spte): \(breach)")
        continue
      }
      guard encoder.isPresent(spte) else { continue }
      guard encoder.isLeaf(spte, at: level) else {
        audit(encoder.pfn(of: spte), at: level.below, first: gfn, slots, &report)
        continue
      }
      if let slots, let breach = breach(of: spte, at: level, GFN(gfn), slots, &report.hint) {
        report.lines.append("frame \(GFN(gfn)) level \(level) leaf \(spte): \(breach)")
      }
    }
  }

  private func breach(
    of spte: SPTE, at level: Level, _ gfn: GFN, _ slots: MemslotTable, _ hint: inout Int
  ) -> String? {
    guard var slot = slots.slot(for: gfn, hint: &hint) else { return "no slot holds it" }
    if !memory.attributes.isUniform(gfn..<gfn.wrappingAdd(span(of: level))) {
      return "private and shared frames in one page"
    }
    if memory.attributes.isPrivate(gfn) {
      guard mapsPrivateMemory, let side = slot.privateSide else { return "the frame is private" }
      slot = side
    }
    guard let pfn = slot.pfn(of: gfn) else { return "no slot backs it" }
    if encoder.pfn(of: spte) != pfn { return "leads elsewhere than slot \(slot.id)" }
    var unlogged = slot
    unlogged.flags.remove(.logsDirtyPages)
    if unlogged.largestLevel(for: gfn, upTo: level) < level { return "larger than its slot allows" }
    if nxHugePages, level > .pageTable, encoder.permits(.fetch, spte) {
      return "a large page that may be executed"
    }
    if slot.flags.contains(.readOnly), encoder.isHostWritable(spte) {
      return "host-writable in a read-only slot"
    }
    guard let log = slot.activeLog, !log.usesRings else { return nil }
    let passes =
      log.method == .writeProtect ? encoder.isWritable(spte) : encoder.isDirty(spte)
    guard passes, log.method != .dirtyBit else { return nil }
    let offset = slot.offset(of: gfn)
    let isMarked = (offset..<(offset + span(of: level))).allSatisfy { log.isMarked($0) }
    // Hardware may have logged the page without anybody having looked at its log yet.
    let isPending =
      log.method == .pageModificationLog
      && logs.withLock { $0.values.contains { !$0.modifications.isEmpty } }
    return isMarked || isPending ? nil : "writes pass the log"
  }
}
