public import Paging

extension ShadowMMU {
  /// The page of a frame and role, in step with the guest; made if there is none (SPEC F4).
  ///
  /// - Returns: `nil` where no page of memory is left.
  @inlinable
  func page(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    if role.level > .pageTable, !role.isDirect {
      // A table that is used at a higher level too may not go on being written unseen.
      var next = registry.firstTable(at: gfn)
      while let other = next {
        next = registry.nextTable(after: other)
        if other.isUnsync { zap(other, .conflict) }
      }
    }
    if let page = registry.find(gfn, role) {
      if page.isUnsync { sync(page) }
      return page
    }
    return makePage(gfn, role)
  }

  /// A new page without entries.
  @inlinable
  func makePage(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    guard let pfn = pool.take() else { return nil }
    host.fill(page: pfn, with: encoder.layout.nonPresent.rawValue)
    let page = registry.make(pfn, gfn, role)
    page.facts.lastFault = state.faultCount
    if page.shadowsTable {
      state.tally.cacheMisses += 1
      notify(.tableShadowed(level: role.level, gfn: gfn))
      writeProtect(gfn)
      landStores()
      leaveToGuest(page)
    }
    return page
  }

  /// What an entry holds that maps nothing: where the layout has a value for it, the guest's own fault
  /// is left to it as long as its entry is not present and the MMU hears of writes to it (SPEC E19).
  @inlinable
  func vacancy(of page: ShadowPage, _ index: Int) -> SPTE {
    guard let noTrap = encoder.layout.noTrap, isGuestsOwn(page, index) else {
      return encoder.layout.nonPresent
    }
    return noTrap
  }

  @inlinable
  func isGuestsOwn(_ page: ShadowPage, _ index: Int) -> Bool {
    guard page.shadowsTable, !page.isInvalid, !page.isUnsync else { return false }
    let table = table(of: page)
    guard table.format.canFaultByItself else { return false }
    return entry(page, index, in: table).map {
      table.format.decode($0, at: page.role.level).kind == .notPresent
    } ?? false
  }

  /// Leaves the faults of a new page to the guest where its entries are not present.
  @inlinable
  func leaveToGuest(_ page: ShadowPage) {
    if encoder.layout.noTrap == nil { return }
    for index in 0..<512 { drop(page, index) }
  }

  /// Makes every empty entry of a page exit, before the guest writes its table unseen.
  @inlinable
  func takeFromGuest(_ page: ShadowPage) {
    guard let noTrap = encoder.layout.noTrap else { return }
    for index in 0..<512 where load(page.place(of: index)) == noTrap {
      store(page.place(of: index), encoder.layout.nonPresent)
    }
  }

  /// Makes room for the tables that a fault will link, and for no more: in a small pool those of the
  /// accesses around it stay.
  @inlinable
  func makeRoom(for mapping: Mapping, below root: ShadowPage, on cpu: inout CPU) -> Bool {
    pool.limit - pool.inUse >= root.role.level.rawValue
      || makePagesAvailable(
        missingTables(for: mapping, below: root), sparing: state.faultCount, on: &cpu)
  }

  /// How many tables are missing on the way to a leaf. Those that are there count as used by this
  /// fault.
  @usableFromInline
  func missingTables(for mapping: Mapping, below root: ShadowPage) -> Int {
    var page = root
    while page.role.level > mapping.level {
      let spte = load(page.place(of: page.index(of: mapping.address)))
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: page.role.level),
        let child = registry.page(at: encoder.pfn(of: spte))
      else { break }
      child.facts.lastFault = state.faultCount
      page = child
    }
    return page.role.level.rawValue - mapping.level.rawValue
  }

  /// Makes room before a fault changes anything (SPEC F4, F17).
  ///
  /// - Parameter fault: pages that it has used stay.
  ///
  /// - Returns: false where even then not enough pages are left.
  @inlinable
  func makePagesAvailable(
    _ count: Int, sparing fault: UInt64? = nil, on cpu: inout CPU
  ) -> Bool {
    pool.limit - pool.inUse >= count || recycle(for: count, sparing: fault, on: &cpu)
  }

  @usableFromInline
  func recycle(for count: Int, sparing fault: UInt64?, on cpu: inout CPU) -> Bool {
    while pool.limit - pool.inUse < count {
      if let page = pageToRecycle(sparing: fault) {
        state.tally.recycled += 1
        zap(page, .recycled)
      } else if let root = cpu.previous.popLast() {
        release(root)
      } else {
        return false
      }
    }
    return true
  }

  /// How many of the oldest pages a policy may choose from.
  private static var mostZapCandidates: Int { 32 }

  /// The page that a policy chooses, else the oldest, of those that are no vCPU's root and that a fault
  /// has not used.
  private func pageToRecycle(sparing fault: UInt64?) -> ShadowPage? {
    state.zapCandidates.removeAll(keepingCapacity: true)
    var oldest: ShadowPage?
    var next = registry.oldestPage
    while let page = next, state.zapCandidates.count < Self.mostZapCandidates {
      next = registry.page(after: page)
      if page.facts.rootCount > 0 || page.facts.lastFault == fault { continue }
      oldest = oldest ?? page
      state.zapCandidates.append(
        ZapCandidate(
          gfn: page.gfn, level: page.role.level, age: state.faultCount &- page.facts.lastFault))
    }
    guard let choice = policy.zapChoice(among: state.zapCandidates), choice > 0,
      choice < state.zapCandidates.count
    else { return oldest }
    var left = choice
    next = oldest
    while let page = next {
      if page.facts.rootCount == 0, page.facts.lastFault != fault {
        if left == 0 { return page }
        left -= 1
      }
      next = registry.page(after: page)
    }
    return oldest
  }

  /// Links a table below an entry that maps nothing.
  @inlinable
  func link(_ child: ShadowPage, under parent: ShadowPage, _ index: Int) {
    let spte = encoder.withMarking(
      marking(of: parent.role), encoder.table(child.pfn.baseAddress, at: parent.role.level))
    store(parent.place(of: index), spte)
    child.facts.parents.append(ShadowPage.Parent(page: parent, index: index))
    state.tally.tablesLinked += 1
    notify(.tableLinked(level: parent.role.level, gfn: child.gfn, spte: spte))
  }

  /// Empties an entry, whatever it holds: leaf, table or MMIO.
  @inlinable
  func drop(_ page: ShadowPage, _ index: Int) {
    let place = page.place(of: index)
    let old = load(place)
    let vacant = vacancy(of: page, index)
    if old == vacant { return }
    store(place, vacant)
    guard encoder.isPresent(old) else { return }
    state.needsFlush = true
    if encoder.isLeaf(old, at: page.role.level) {
      memory.noteChange(state.reason, of: frames(of: page, index))
      reverseMap.remove(page.frame(of: index), page, index)
    } else if let child = registry.page(at: encoder.pfn(of: old)) {
      child.removeParent(page, index)
      // A page that no frame and role name cannot be found again.
      if child.role.isTop, child.facts.parents.isEmpty { zap(child, .unused) }
    }
  }

  /// The frames that a leaf maps.
  @usableFromInline
  func frames(of page: ShadowPage, _ index: Int) -> Range<GFN> {
    let first = page.frame(of: index)
    return first..<first.wrappingAdd(1 << UInt64(9 * (page.role.level.rawValue - 1)))
  }

  /// Gives a page up: its entries, those that point to it, and its place in the hash.
  @inlinable
  func zap(_ page: ShadowPage, _ reason: ZapReason) {
    if page.isInvalid || page.isFreed { return }
    page.facts.isInvalid = true
    let outer = state.reason
    state.reason = reason.operation
    defer { state.reason = outer }
    state.tally.pagesZapped += 1
    notify(.pageZapped(level: page.role.level, gfn: page.gfn, reason))
    for index in 0..<512 { drop(page, index) }
    while let parent = page.facts.parents.popLast() {
      store(parent.page.place(of: parent.index), vacancy(of: parent.page, parent.index))
    }
    registry.retire(page)
    markInStep(page)
    if page.role.isTop { state.topRoots = state.topRoots.filter { $0.value != page } }
    state.needsFlush = true
    if page.facts.rootCount == 0 { free(page) }
  }

  /// Returns a page's memory. **Requires** that nothing points to it.
  @inlinable
  func free(_ page: ShadowPage) {
    registry.forget(page)
    pool.give(back: page.pfn)
  }

  /// Gives up every page; roots in use are replaced when their vCPUs next enter.
  @inlinable
  func zapAll() {
    for page in registry.oldestFirst { zap(page, .invalidated) }
    notify(.rootsInvalidated)
  }

  /// Has stores land that use a W which is gone: other vCPUs may have it in their TLBs until they have
  /// seen the last flush, and one that nobody has announced yet they cannot have seen.
  @usableFromInline
  func landStores() {
    if state.needsFlush { walkers.synchronizeOthers() } else { walkers.awaitOthers() }
  }

  /// Takes W from every leaf of a frame, so that writes are seen.
  @inlinable
  func writeProtect(_ gfn: GFN) {
    let writable = encoder.layout.masks.writable | encoder.layout.masks.mmuWritable
    reverseMap.forEachLeaf(of: gfn) { page, index in
      let place = page.place(of: index)
      let old = load(place)
      if old.rawValue & writable == 0 { return }
      store(place, SPTE(old.rawValue & ~(writable | encoder.layout.masks.dirty)))
      memory.noteChange(.writeTracking, of: frames(of: page, index))
      state.needsFlush = true
    }
  }
}

extension ZapReason {
  /// As whoever looks for stale translations is told.
  @usableFromInline
  var operation: StaleTranslation.HostOperation.Kind {
    switch self {
    case .flooded, .misaligned: .flooding
    case .recycled: .recycling
    case .conflict, .unused: .tableSync
    case .invalidated: .zap
    }
  }
}
