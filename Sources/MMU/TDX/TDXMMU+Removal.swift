public import Paging
import X86TDX

extension TDXMMU {
  /// No new translation uses the entry (TDH.MEM.RANGE.BLOCK).
  public func block(_ gfn: GFN, _ level: Level) throws(TDXError) {
    try withMirror { () throws(TDXError) in
      try require { module.rangeBlock(gfn, level) }
      memory.noteChange(.secureRemoval, of: gfn..<gfn.wrappingAdd(level.pageSize.frames))
    }
  }

  /// Undoes a block (TDH.MEM.RANGE.UNBLOCK).
  public func unblock(_ gfn: GFN, _ level: Level) throws(TDXError) {
    try withMirror { () throws(TDXError) in try require { module.rangeUnblock(gfn, level) } }
  }

  /// Opens a new epoch (TDH.MEM.TRACK) and sends every vCPU out.
  public func track() throws(TDXError) {
    try withMirror { () throws(TDXError) in try trackHeld() }
  }

  private func trackHeld() throws(TDXError) {
    // Who is inside since before the last track is waited for, so that this one is not refused.
    shared.synchronize()
    try require { module.track() }
    shared.synchronize()
  }

  /// Takes away a page that is blocked and tracked (TDH.MEM.PAGE.REMOVE), and clears it.
  public func remove(_ gfn: GFN, _ level: Level) throws(TDXError) {
    try withMirror { () throws(TDXError) in try removeHeld(gfn, level) }
  }

  private func removeHeld(_ gfn: GFN, _ level: Level) throws(TDXError) {
    guard let (place, spte) = leaf(gfn, level) else {
      return try require { module.pageRemove(gfn, level) }
    }
    try replace(place, by: shared.encoder.layout.nonPresent) { module.pageRemove(gfn, level) }
    memory.noteChange(.secureRemoval, of: gfn..<gfn.wrappingAdd(level.pageSize.frames))
    let first = shared.encoder.pfn(of: spte)
    for index in 0..<level.pageSize.frames {
      shared.host.view.clear(page: first.wrappingAdd(index))
    }
  }

  private func leaf(_ gfn: GFN, _ level: Level) -> (place: HPA, spte: SPTE)? {
    guard let found = mirrorEntry(gfn, level), shared.encoder.isPresent(found.spte),
      shared.encoder.isLeaf(found.spte, at: level)
    else { return nil }
    return found
  }

  /// A blocked and tracked large page becomes 512 small ones (TDH.MEM.PAGE.DEMOTE).
  public func demote(_ gfn: GFN, _ level: Level) throws(TDXError) {
    try withMirror { () throws(TDXError) in try demoteHeld(gfn, level) }
  }

  private func demoteHeld(_ gfn: GFN, _ level: Level) throws(TDXError) {
    let table = try takeTable()
    do throws(TDXError) {
      guard level > .pageTable, let (place, spte) = leaf(gfn, level) else {
        return try require { module.pageDemote(gfn, level, page: table) }
      }
      for index in 0..<512 as Range<UInt64> {
        let child = shared.encoder.child(of: spte, at: level, index: index)
        _ = shared.host.swap(table.baseAddress.wrappingAdd(index * 8), to: child.rawValue)
      }
      try replace(place, by: shared.encoder.table(table.baseAddress, at: level)) {
        module.pageDemote(gfn, level, page: table)
      }
    } catch {
      shared.giveBack(table)
      throw error
    }
  }

  /// 512 accepted pages of one run, whose table is blocked and tracked, become one large page
  /// (TDH.MEM.PAGE.PROMOTE); their table goes back to the pool.
  public func promote(_ gfn: GFN, _ level: Level) throws(TDXError) {
    try withMirror { () throws(TDXError) in
      var freed: PFN?
      func call() -> TDXStatus {
        switch module.pagePromote(gfn, level) {
        case .success(let page):
          freed = page
          return .success
        case .failure(let status): return status
        }
      }
      guard level > .pageTable, let (place, spte) = mirrorEntry(gfn, level),
        shared.encoder.isPresent(spte), !shared.encoder.isLeaf(spte, at: level)
      else { return try require(call) }
      let first = shared.load(shared.encoder.pfn(of: spte).baseAddress)
      try replace(place, by: mirrorLeaf(shared.encoder.pfn(of: first), level), call)
      if let freed { shared.giveBack(freed) }
    }
  }

  /// Takes private pages away: block, track, every vCPU out, remove; then the tables that are empty.
  ///
  /// A large page that lies only partly in the range is made small first.
  ///
  /// - Throws: `TDXError`; what was not taken away stays, blocked where the module had come so far.
  public func reclaim(_ range: Range<GFN>) throws(TDXError) {
    try withMirror { () throws(TDXError) in try reclaimHeld(range) }
  }

  private func reclaimHeld(_ range: Range<GFN>) throws(TDXError) {
    try demoteEdges(of: range.rawValues)
    var leaves: [(gfn: GFN, level: Level)] = []
    shared.forEachLeaf(in: range, [mirrorRoot]) { _, _, level, gfn in
      leaves.append((GFN(gfn), level))
    }
    guard !leaves.isEmpty else { return }
    var failure: TDXError?
    var blocked = 0
    do throws(TDXError) {
      for leaf in leaves {
        try ensureBlocked(leaf.gfn, leaf.level)
        blocked += 1
      }
    } catch {
      failure = error
    }
    if blocked > 0 {
      try trackHeld()
      for leaf in leaves[..<blocked] { try removeHeld(leaf.gfn, leaf.level) }
      try removeEmptyTables(in: range.rawValues)
    }
    if let failure { throw failure }
  }

  private func ensureBlocked(_ gfn: GFN, _ level: Level) throws(TDXError) {
    let status = ask { module.rangeBlock(gfn, level) }
    guard status == .success || status == .gpaRangeAlreadyBlocked else { throw .module(status) }
  }

  private func demoteEdges(of range: Range<UInt64>) throws(TDXError) {
    guard !range.isEmpty else { return }
    for edge in [range.lowerBound, range.upperBound - 1] {
      for level in [Level.directoryPointer, .directory] {
        let first = GFN(edge).roundedDown(to: level.pageSize)
        let isInside =
          first.rawValue >= range.lowerBound
          && first.rawValue + level.pageSize.frames <= range.upperBound
        guard !isInside, leaf(first, level) != nil else { continue }
        try ensureBlocked(first, level)
        try trackHeld()
        try demoteHeld(first, level)
      }
    }
  }

  /// Gives the tables of a range that map nothing any more back, from the leaves up.
  private func removeEmptyTables(in range: Range<UInt64>) throws(TDXError) {
    let encoder = shared.encoder
    var level = Level.directory
    while level <= encoder.rootLevel {
      var empty: [(gfn: GFN, place: HPA, table: PFN)] = []
      forEachTable(at: level, in: range) { place, spte, gfn in
        let table = encoder.pfn(of: spte)
        let isEmpty = (0..<512 as Range<UInt64>).allSatisfy {
          shared.load(table.baseAddress.wrappingAdd($0 * 8)) == encoder.layout.nonPresent
        }
        if isEmpty { empty.append((GFN(gfn), place, table)) }
      }
      guard !empty.isEmpty else { return }
      for entry in empty { try ensureBlocked(entry.gfn, level) }
      try trackHeld()
      for entry in empty {
        try replace(entry.place, by: encoder.layout.nonPresent) {
          module.septRemove(entry.gfn, level)
        }
        shared.giveBack(entry.table)
      }
      level = level.above
    }
  }

  /// Makes a range shared, or private (SPEC T6). What the other kind held of it is given up.
  ///
  /// - Throws: `TDXError` where the module refuses; then the range stays private, without the pages that
  ///   were taken away before.
  public func convert(_ range: Range<GFN>, toPrivate: Bool) throws(TDXError) {
    try attributes.converting { () throws(TDXError) in
      // Under the lock, so that no page is added by an attribute that was read before.
      try withMirror { () throws(TDXError) in
        if !toPrivate { try reclaimHeld(range) }
        attributes.set(range, isPrivate: toPrivate)
      }
      guard toPrivate else { return }
      // Faults that mapped the range as shared are done after this, and what they mapped goes.
      shared.synchronize()
      shared.zap(range, because: .conversion)
    }
  }

  /// Takes the private pages away that no slot backs any more.
  func dropUnbacked() {
    let slots = memory.slots
    var hint = 0
    var gone: [Range<GFN>] = []
    _ = try? withMirror {
      shared.forEachLeaf(in: GFN(0)..<GFN(1 << 40), [mirrorRoot]) { _, spte, level, gfn in
        let first = GFN(gfn)
        let page = slots.slot(for: first, hint: &hint)?.pfn(of: first, isPrivate: true)
        if page != shared.encoder.pfn(of: spte) {
          gone.append(first..<first.wrappingAdd(level.pageSize.frames))
        }
      }
    }
    // What the module refuses stays in the mirror, and the audit names it.
    for range in Self.joined(gone) { try? reclaim(range) }
  }

  private static func joined(_ ranges: [Range<GFN>]) -> [Range<GFN>] {
    ranges.reduce(into: []) { joined, range in
      if let last = joined.last, last.upperBound == range.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<range.upperBound
      } else {
        joined.append(range)
      }
    }
  }
}
