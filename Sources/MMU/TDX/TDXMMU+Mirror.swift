import Paging
import X86TDX

/// The mirror of the secure EPT: who reads or changes it holds `changing`.
extension TDXMMU {
  /// How often a call that finds a lock held is tried again.
  static var busyBudget: Int { 1000 }

  /// Asks the module, again and again while it is busy.
  func ask(_ body: () -> TDXStatus) -> TDXStatus {
    var status = body()
    var tries = 0
    while status == .operandBusy || status == .previousTLBEpochBusy, tries < Self.busyBudget {
      TableWalkers.yield()
      status = body()
      tries += 1
    }
    return status
  }

  /// Asks the module for something that leaves the mirror as it is.
  func require(_ body: () -> TDXStatus) throws(TDXError) {
    let status = ask(body)
    if status != .success { throw .module(status) }
  }

  /// Holds the mirror for a change.
  func withMirror<Result: Sendable>(
    _ body: () throws(TDXError) -> Result
  ) throws(TDXError) -> Result {
    try changing.withLock { _ throws(TDXError) in try body() }
  }

  /// Changes an entry together with the module's; it is frozen while the module is asked.
  func replace(_ place: HPA, by new: SPTE, _ call: () -> TDXStatus) throws(TDXError) {
    let old = shared.load(place)
    _ = shared.host.swap(place, to: shared.encoder.layout.frozen.rawValue)
    let status = ask(call)
    _ = shared.host.swap(place, to: (status == .success ? new : old).rawValue)
    if status != .success { throw .module(status) }
  }

  /// The entry of a level for a frame, or `nil` where there is no table for it.
  func mirrorEntry(_ gfn: GFN, _ target: Level) -> (place: HPA, spte: SPTE)? {
    let encoder = shared.encoder
    var table = mirrorRoot
    var level = encoder.rootLevel
    while true {
      let place = shared.entry(for: gfn, in: table, at: level)
      let spte = shared.load(place)
      if level == target { return (place, spte) }
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else { return nil }
      table = encoder.pfn(of: spte)
      level = level.below
    }
  }

  /// The entry of a level for a frame; tables that are missing on the way are linked, in the module and
  /// in the mirror.
  ///
  /// - Throws: `TDXError.module(.pageSizeMismatch)` where a larger page covers the frame.
  func linkedEntry(_ gfn: GFN, _ target: Level) throws(TDXError) -> HPA {
    let encoder = shared.encoder
    var table = mirrorRoot
    var level = encoder.rootLevel
    while true {
      let place = shared.entry(for: gfn, in: table, at: level)
      if level == target { return place }
      let old = shared.load(place)
      if encoder.isPresent(old) {
        if encoder.isLeaf(old, at: level) { throw .module(.pageSizeMismatch) }
        table = encoder.pfn(of: old)
        level = level.below
        continue
      }
      let child = try takeTable()
      shared.host.fill(page: child, with: encoder.layout.nonPresent.rawValue)
      let first = gfn.roundedDown(to: level.pageSize)
      do throws(TDXError) {
        try replace(place, by: encoder.table(child.baseAddress, at: level)) {
          module.septAdd(first, level, page: child)
        }
      } catch {
        shared.giveBack(child)
        throw error
      }
    }
  }

  /// A page for a table of the mirror.
  func takeTable() throws(TDXError) -> PFN {
    guard let page = shared.takeTable() else {
      throw .tablePagesExhausted(limit: shared.pool.limit)
    }
    return page
  }

  /// A leaf of the mirror.
  func mirrorLeaf(_ page: PFN, _ level: Level) -> SPTE {
    shared.encoder.leaf(LeafRequest(pfn: page, level: level, permissions: .all))
  }

  /// The private page of a frame.
  func privatePage(_ gfn: GFN, _ level: Level) throws(TDXError) -> PFN {
    var hint = 0
    guard attributes.isPrivate(gfn) else { throw .shared(gfn) }
    guard
      let page = memory.slots.slot(for: gfn, hint: &hint)?.pfn(of: gfn, isPrivate: true),
      shared.host.contains(page.baseAddress, count: Int(level.pageSize.bytes))
    else { throw .unbacked(gfn) }
    return page
  }

  /// Calls for each entry of a level that points to a table and covers frames of a range.
  func forEachTable(
    at target: Level, in range: Range<UInt64>,
    _ body: (_ place: HPA, _ spte: SPTE, _ gfn: UInt64) -> Void
  ) {
    forEachTable(of: mirrorRoot, shared.encoder.rootLevel, first: 0, target, range, body)
  }

  private func forEachTable(
    of table: PFN, _ level: Level, first: UInt64, _ target: Level, _ range: Range<UInt64>,
    _ body: (_ place: HPA, _ spte: SPTE, _ gfn: UInt64) -> Void
  ) {
    let encoder = shared.encoder
    shared.forEachEntry(of: table, at: level, first: first, in: range) { place, spte, gfn in
      guard level > .pageTable, encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else {
        return
      }
      if level == target { return body(place, spte, gfn) }
      forEachTable(of: encoder.pfn(of: spte), level.below, first: gfn, target, range, body)
    }
  }
}
