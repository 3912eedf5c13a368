public import Paging
import Synchronization
public import X86TDX

/// Why private memory cannot be changed.
public enum TDXError: Error, Sendable, Hashable {
  /// The module refuses.
  case module(TDXStatus)
  /// No slot backs the frame.
  case unbacked(GFN)
  /// No table page is left for the mirror. **Units** pages.
  case tablePagesExhausted(limit: Int)
}

extension TDXError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .module(let status): "the TDX module says \(status)"
    case .unbacked(let gfn): "no memory backs private frame \(gfn)"
    case .tablePagesExhausted(let limit): "the limit of \(limit) table pages is reached"
    }
  }
}

extension TDXMMU {
  /// How often a call that finds a lock held is tried again.
  static var busyBudget: Int { 1000 }

  /// Asks the module, again and again while it is busy.
  func ask(_ body: () -> TDXStatus) -> TDXStatus {
    var status = body()
    var tries = 0
    while status == .operandBusy || status == .previousTLBEpochBusy, tries < Self.busyBudget {
      TDPWalkers.yield()
      status = body()
      tries += 1
    }
    return status
  }

  /// The private page of a frame.
  func privatePage(_ gfn: GFN) -> PFN? {
    var hint = 0
    guard let pfn = memory.slots.slot(for: gfn, hint: &hint)?.pfn(of: gfn) else { return nil }
    let page = privateBase.wrappingAdd(pfn.rawValue)
    return shared.host.contains(page.baseAddress, count: 4096) ? page : nil
  }

  /// Adds a page with contents before the domain is finalized (TDH.MEM.PAGE.ADD).
  public func add(_ gfn: GFN, bytes: RawSpan) throws(TDXError) {
    guard let page = privatePage(gfn) else { throw .unbacked(gfn) }
    guard bytes.byteCount <= 4096 else { throw .module(.operandInvalid) }
    let status = map(gfn, page) { module.pageAdd(gfn, page: page) }
    if let status { throw status }
    _ = shared.host.view.write(bytes, at: page.baseAddress)
  }

  /// Ends the building of the domain (TDH.MR.FINALIZE).
  public func finalize() throws(TDXError) {
    let status = ask { module.finalize() }
    if status != .success { throw .module(status) }
  }

  /// Adds a page that the guest must accept (TDH.MEM.PAGE.AUG).
  func augment(_ gfn: GFN) -> FaultOutcome {
    guard let page = privatePage(gfn) else { return .failed(.unbacked(gfn)) }
    let error = map(gfn, page) { module.pageAug(gfn, .pageTable, page: page) }
    switch error {
    case nil: return .fixed
    case .tablePagesExhausted(let limit): return .failed(.tablePagesExhausted(limit: limit))
    case .unbacked(let gfn): return .failed(.unbacked(gfn))
    case .module(.eptEntryNotFree): return .spurious
    case .module: return .failed(.denied(gfn.baseAddress))
    }
  }

  /// The guest accepts a page (TDG.MEM.PAGE.ACCEPT): a call of the guest that the host never sees.
  public func accept(_ gfn: GFN, _ level: Level = .pageTable) -> TDXStatus {
    module.pageAccept(gfn, level) { page in
      let frames = (1 as UInt64) << UInt64(9 * (level.rawValue - 1))
      for index in 0..<frames { shared.host.view.clear(page: page.wrappingAdd(index)) }
    }
  }

  /// Makes a range shared, or private (SPEC T6). What the other kind held of it is given up.
  ///
  /// - Throws: `TDXError` where the module refuses; then the frames before it are converted.
  public func convert(_ range: Range<GFN>, toPrivate: Bool) throws(TDXError) {
    if toPrivate {
      // No fault maps it as shared from here on, and none that began before goes on.
      attributes.set(range, isPrivate: true)
      shared.synchronize()
      shared.zap(range)
    } else {
      attributes.set(range, isPrivate: false)
      shared.synchronize()
      try removePrivate(range)
    }
  }

  /// Takes private pages away: block, track, every vCPU out, remove.
  func removePrivate(_ range: Range<GFN>) throws(TDXError) {
    let failure: TDXError? = changing.withLock { _ in
      var blocked: [(gfn: GFN, place: HPA, old: SPTE)] = []
      shared.forEachLeaf(in: range, [mirrorRoot]) { place, spte, _, gfn in
        blocked.append((GFN(gfn), place, spte))
      }
      var failure: TDXError?
      for index in blocked.indices {
        _ = shared.host.swap(
          blocked[index].place, to: shared.encoder.layout.frozen.rawValue)
        let status = ask { module.rangeBlock(blocked[index].gfn, .pageTable) }
        if status != .success {
          failure = .module(status)
          _ = shared.host.swap(blocked[index].place, to: blocked[index].old.rawValue)
          blocked.removeSubrange(index...)
          break
        }
      }
      guard !blocked.isEmpty else { return failure }
      // Who is inside since before the last track is waited for, so that this one is not refused.
      shared.synchronize()
      let tracked = ask { module.track() }
      shared.synchronize()
      for entry in blocked {
        var status = tracked
        if status == .success { status = ask { module.pageRemove(entry.gfn, .pageTable) } }
        if status == .success {
          _ = shared.host.swap(entry.place, to: shared.encoder.layout.nonPresent.rawValue)
        } else {
          // Still the module's: the mirror says so.
          failure = .module(status)
          _ = shared.host.swap(entry.place, to: entry.old.rawValue)
        }
      }
      return failure
    }
    if let failure { throw failure }
  }

  /// Links what is missing on the way to a frame and maps it, in the module and in the mirror.
  private func map(_ gfn: GFN, _ page: PFN, _ add: () -> TDXStatus) -> TDXError? {
    changing.withLock { _ in
      let encoder = shared.encoder
      var table = mirrorRoot
      var level = encoder.rootLevel
      while true {
        let place = shared.entry(for: gfn, in: table, at: level)
        let old = shared.load(place)
        if level == .pageTable {
          _ = shared.host.swap(place, to: encoder.layout.frozen.rawValue)
          let status = ask(add)
          let new =
            status == .success
            ? encoder.leaf(LeafRequest(pfn: page, level: level, permissions: .all)) : old
          _ = shared.host.swap(place, to: new.rawValue)
          return status == .success ? nil : .module(status)
        }
        if encoder.isPresent(old) {
          table = encoder.pfn(of: old)
          level = level.below
          continue
        }
        guard let child = shared.takeTable() else {
          return .tablePagesExhausted(limit: shared.pool.limit)
        }
        shared.host.fill(page: child, with: encoder.layout.nonPresent.rawValue)
        _ = shared.host.swap(place, to: encoder.layout.frozen.rawValue)
        let size = PageSize(shift: 3 + 9 * level.rawValue)
        let first = gfn.roundedDown(to: size)
        let status = ask { module.septAdd(first, level, page: child) }
        guard status == .success else {
          _ = shared.host.swap(place, to: old.rawValue)
          shared.giveBack(child)
          return .module(status)
        }
        _ = shared.host.swap(
          place, to: encoder.table(child.baseAddress, at: level).rawValue)
      }
    }
  }

  /// Compares the mirror with the module.
  ///
  /// - Returns: one line for each entry in which they disagree.
  public func mirrorBreaches() -> [String] {
    changing.withLock { _ in
      var lines: [String] = []
      var count = 0
      compare(mirrorRoot, at: shared.encoder.rootLevel, first: 0, &lines, &count)
      if count != module.entryCount {
        lines.append("the mirror has \(count) entries, the module \(module.entryCount)")
      }
      return lines
    }
  }

  private func compare(
    _ table: PFN, at level: Level, first: UInt64, _ lines: inout [String], _ count: inout Int
  ) {
    let encoder = shared.encoder
    for index in 0..<512 as Range<UInt64> {
      let gfn = first &+ index &* shared.span(of: level)
      let spte = shared.load(table.baseAddress.wrappingAdd(index * 8))
      if spte == encoder.layout.nonPresent { continue }
      count += 1
      let entry = module.entry(GFN(gfn), level)
      let isLeaf = encoder.isPresent(spte) && encoder.isLeaf(spte, at: level)
      let agrees = isLeaf ? entry.state.isLeaf : entry.state == .nonLeafMapped
      if !encoder.isPresent(spte) || !agrees || encoder.pfn(of: spte) != entry.pfn {
        lines.append("frame \(GFN(gfn)) level \(level): mirror \(spte), module \(entry.state)")
      }
      if encoder.isPresent(spte), !isLeaf {
        compare(encoder.pfn(of: spte), at: level.below, first: gfn, &lines, &count)
      }
    }
  }
}
