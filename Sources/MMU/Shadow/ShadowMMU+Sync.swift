public import Paging

extension ShadowMMU {
  /// The guest's table that a page shadows.
  @inlinable
  func table(of page: ShadowPage) -> GuestTable {
    GuestTable(
      format: state.formats[page.role.format],
      place: state.slots[page.role.space.rawValue].slot(for: page.gfn)?.pfn(of: page.gfn)?
        .baseAddress)
  }

  /// The guest's leaf behind an entry of a leaf table, if the processor could have used it: present,
  /// not malformed, marked as accessed.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func usableLeaf(
    _ page: ShadowPage, _ index: Int, in table: borrowing GuestTable
  ) -> (entry: GuestEntry, gfn: GFN)? {
    guard let raw = entry(page, index, in: table) else { return nil }
    let entry = table.format.decode(raw, at: page.role.level)
    guard entry.kind == .leaf, entry.isAccessed else { return nil }
    return (entry, entry.base.frame)
  }

  /// The guest's entry behind one of a page.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func entry(_ page: ShadowPage, _ index: Int, in table: borrowing GuestTable) -> UInt64? {
    let size = table.entrySize
    guard let place = table.place?.wrappingAdd(page.guestOffset(of: index, entrySize: size)) else {
      return nil
    }
    return load(place, entrySize: size)
  }

  /// Whether leaves of a frame may be writable: it is no table, or a table out of step anyway.
  @inlinable
  @inline(__always)  // PERF: sync.shadow
  func mayWrite(_ gfn: GFN, at level: Level) -> Bool {
    guard level == .pageTable else { return !registry.hasTables(around: gfn, at: level) }
    var next = registry.firstTable(at: gfn)
    while let page = next {
      if !page.isUnsync { return false }
      next = registry.nextTable(after: page)
    }
    return true
  }

  /// Whether a page, or another that shadows the same table, is above the leaf tables.
  @inlinable
  func isUsedAboveLeaves(_ first: ShadowPage) -> Bool {
    var next: ShadowPage? = first
    while let page = next {
      if page.role.level > .pageTable { return true }
      next = registry.nextTable(after: page)
    }
    return false
  }

  /// Lets the leaf tables in a frame go out of step, where that is allowed (SPEC F6).
  @inlinable
  func unsyncTables(at gfn: GFN) {
    guard let first = registry.firstTable(at: gfn), options.allowsUnsync,
      !isUsedAboveLeaves(first)
    else { return }
    var next: ShadowPage? = first
    while let page = next {
      next = registry.nextTable(after: page)
      if page.isUnsync { continue }
      page.facts.unsyncPosition = state.unsyncPages.count
      state.unsyncPages.append(page)
      takeFromGuest(page)
      state.tally.unsynced += 1
      notify(.tableUnsynced(gfn: gfn))
    }
  }

  /// Takes a page off the list of those that are out of step.
  @inlinable
  func markInStep(_ page: ShadowPage) {
    guard let position = page.facts.unsyncPosition, let last = state.unsyncPages.popLast() else {
      return
    }
    page.facts.unsyncPosition = nil
    if last == page { return }
    state.unsyncPages[position] = last
    last.facts.unsyncPosition = position
  }

  /// Brings every table in step: what a flush of the guest's TLB asks for.
  ///
  /// All of them, not only those below one root: the guest cannot tell, and they are few.
  @inlinable
  func syncAll() {
    while let page = state.unsyncPages.last { sync(page) }
  }

  /// Brings in step what a table leads to, before it is linked anew: to a vCPU that could not use the
  /// tables below until now, nothing that they held earlier may show, and no flush says so (SPEC F6).
  @inlinable
  func syncTables(below table: ShadowPage) {
    if table.role.level == .pageTable { return }
    // From the end: the place of a page that leaves the list goes to the last one, seen already.
    var index = state.unsyncPages.count
    while index > 0 {
      index -= 1
      let page = state.unsyncPages[index]
      if page.isBelow(table) { sync(page) }
    }
  }

  /// Brings one leaf table in step, and tracks its writes again.
  @inlinable
  func sync(_ page: ShadowPage) {
    // Protected first: a write that comes later is seen, and one that is under way has landed.
    writeProtect(page.gfn)
    landStores()
    markInStep(page)
    var changed = 0
    let table = table(of: page)
    for index in 0..<512 where refresh(page, index, in: table) { changed += 1 }
    state.tally.synced += 1
    notify(.tableSynced(gfn: page.gfn, changed: changed))
  }

  /// Makes an entry of a leaf table agree with the guest's: dropped where that lost P or A, leads
  /// elsewhere or is malformed, else derived anew (SPEC F6).
  ///
  /// - Returns: whether it changed.
  @inlinable
  func refresh(_ page: ShadowPage, _ index: Int, in table: borrowing GuestTable) -> Bool {
    let old = load(page.place(of: index))
    if encoder.isVacant(old) {
      if encoder.layout.noTrap != nil { drop(page, index) }
      return false
    }
    guard let (entry, gfn) = usableLeaf(page, index, in: table), page.frame(of: index) == gfn else {
      drop(page, index)
      return true
    }
    var permissions = page.role.access.intersection(entry.permissions)
    if !entry.isDirty { permissions.remove(.write) }
    let slot = state.slots[page.role.space.rawValue].slot(for: gfn)
    if encoder.isMMIO(old) {
      guard slot == nil,
        let new = mmio(
          gfn, page.role.access.intersection(entry.permissions), in: page.role.space)
      else {
        drop(page, index)
        return true
      }
      return store(page.place(of: index), new) != new
    }
    guard let slot else {
      drop(page, index)
      return true
    }
    permissions.subtract(policy.withheldPermissions(gfn: gfn))
    guard
      let new = leaf(
        gfn, for: page.role, slot, permissions, entry.protectionKey,
        isTracked: !mayWrite(gfn, at: .pageTable),
        isWrite: false, isPrefetch: old.rawValue & encoder.layout.masks.accessed == 0)
    else {
      drop(page, index)
      return true
    }
    // PERF: sync.shadow; most entries of a table have not changed.
    return !isAlike(old, new) && set(page, index, to: new, gfn)
  }

  /// INVLPG: the address's leaf goes where its table is out of step, on this root and the last ones,
  /// and comes back from the guest's entry if that can be used (SPEC F7).
  @inlinable
  public func invalidatePage(
    _ address: Address<Guest.Input>, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {
    locked(&cpu, observer) { cpu in
      refreshSlots()
      if cpu.lastMMIO?.page == address.rawValue >> 12 { cpu.lastMMIO = nil }
      for root in [cpu.current].compactMap({ $0 }) + cpu.previous {
        guard let (page, index) = lastEntry(for: address, below: root.page) else { continue }
        let old = load(page.place(of: index))
        // An MMIO entry goes even from a table in step: the frame may have got a slot.
        if encoder.isMMIO(old) {
          drop(page, index)
          continue
        }
        guard page.isUnsync, !encoder.isVacant(old) else { continue }
        drop(page, index)
        guard let (entry, gfn) = usableLeaf(page, index, in: table(of: page)) else { continue }
        var permissions = page.role.access.intersection(entry.permissions)
        if !entry.isDirty { permissions.remove(.write) }
        install(page, index, gfn, permissions, entry.protectionKey)
      }
    }
  }

  /// The entry that ends the shadow's walk for an address: leaf, MMIO or empty.
  @inlinable
  func lastEntry(for address: Address<Guest.Input>, below root: PFN) -> (
    page: ShadowPage, index: Int
  )? {
    guard var page = registry.page(at: root) else { return nil }
    while true {
      let index = page.index(of: address)
      let spte = load(page.place(of: index))
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: page.role.level) else {
        return (page, index)
      }
      guard let child = registry.page(at: encoder.pfn(of: spte)) else { return nil }
      page = child
    }
  }
}
