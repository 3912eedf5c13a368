import Paging

extension ShadowMMU {
  /// The page of a frame and role, in step with the guest; made if there is none (SPEC F4).
  ///
  /// - Returns: `nil` where no page of memory is left.
  func page(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    if role.level > .pageTable, !role.isDirect {
      // A table that is used at a higher level too may not go on being written unseen.
      for other in registry.tables(at: gfn) where other.isUnsync { zap(other, .conflict) }
    }
    if let page = registry.find(gfn, role) {
      if page.isUnsync { sync(page) }
      return page
    }
    return makePage(gfn, role)
  }

  /// A new page without entries.
  func makePage(_ gfn: GFN, _ role: ShadowRole) -> ShadowPage? {
    guard let pfn = pool.take() else { return nil }
    host.fill(page: pfn, with: encoder.layout.nonPresent.rawValue)
    let page = ShadowPage(pfn: pfn, gfn: gfn, role: role)
    registry.insert(page)
    if page.shadowsTable {
      tally.cacheMisses += 1
      notify(.tableShadowed(level: role.level, gfn: gfn))
      writeProtect(gfn)
    }
    return page
  }

  /// Makes room before a fault changes anything, oldest page first (SPEC F4, F17).
  ///
  /// - Returns: false where even then not enough pages are left.
  func makePagesAvailable(_ count: Int, on cpu: inout CPU) -> Bool {
    while pool.limit - pool.inUse < count {
      if let page = registry.oldest(where: { $0.rootCount == 0 }) {
        tally.recycled += 1
        zap(page, .recycled)
      } else if let root = cpu.previous.popLast() {
        release(root)
      } else {
        return false
      }
    }
    return true
  }

  /// Links a table below an entry that maps nothing.
  func link(_ child: ShadowPage, under parent: ShadowPage, _ index: Int) {
    let spte = encoder.withMarking(
      marking(of: parent.role), encoder.table(child.pfn.baseAddress, at: parent.role.level))
    store(parent.place(of: index), spte)
    child.parents.append(ShadowPage.Parent(page: parent, index: index))
    tally.tablesLinked += 1
    notify(.tableLinked(level: parent.role.level, gfn: child.gfn, spte: spte))
  }

  /// Empties an entry, whatever it holds: leaf, table or MMIO.
  func drop(_ page: ShadowPage, _ index: Int) {
    let place = page.place(of: index)
    let old = load(place)
    if old == encoder.layout.nonPresent { return }
    store(place, encoder.layout.nonPresent)
    guard encoder.isPresent(old) else { return }
    needsFlush = true
    if encoder.isLeaf(old, at: page.role.level) {
      reverseMap.remove(page.frame(of: index), page, index)
    } else if let child = registry.page(at: encoder.pfn(of: old)) {
      child.removeParent(page, index)
      // A page that no frame and role name cannot be found again.
      if child.role.isTop, child.parents.isEmpty { zap(child, .unused) }
    }
  }

  /// Gives a page up: its entries, those that point to it, and its place in the hash.
  func zap(_ page: ShadowPage, _ reason: ZapReason) {
    if page.isInvalid || page.isFreed { return }
    page.isInvalid = true
    tally.pagesZapped += 1
    notify(.pageZapped(level: page.role.level, gfn: page.gfn, reason))
    for index in 0..<512 { drop(page, index) }
    for parent in page.parents {
      store(parent.page.place(of: parent.index), encoder.layout.nonPresent)
    }
    page.parents = []
    registry.retire(page)
    if page.isUnsync {
      page.isUnsync = false
      unsyncPages.removeAll { $0 === page }
    }
    if page.role.isTop { topRoots = topRoots.filter { $0.value !== page } }
    needsFlush = true
    if page.rootCount == 0 { free(page) }
  }

  /// Returns a page's memory. **Requires** that nothing points to it.
  func free(_ page: ShadowPage) {
    registry.forget(page)
    pool.give(back: page.pfn)
  }

  /// Gives up every page; roots in use are replaced when their vCPUs next enter.
  func zapAll() {
    for page in registry.oldestFirst { zap(page, .invalidated) }
    notify(.rootsInvalidated)
  }

  /// Takes W from every leaf of a frame, so that writes are seen.
  func writeProtect(_ gfn: GFN) {
    let writable = encoder.layout.masks.writable | encoder.layout.masks.mmuWritable
    for leaf in reverseMap.leaves(of: gfn) {
      let place = leaf.page.place(of: leaf.index)
      let old = load(place)
      if old.rawValue & writable == 0 { continue }
      store(place, SPTE(old.rawValue & ~(writable | encoder.layout.masks.dirty)))
      needsFlush = true
    }
  }
}
