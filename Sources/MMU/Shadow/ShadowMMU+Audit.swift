import Paging
import Synchronization

extension ShadowMMU {
  /// Checks every invariant (SPEC F18): entries against the guest's, the reverse map, parents, write
  /// tracking and counts.
  ///
  /// **Requires** that no vCPU runs: a table that is written meanwhile disagrees.
  /// - Complexity: O(all shadow entries).
  public func audit() -> [String] {
    var breaches: [String] = []
    lock.withLock { _ in
      refreshSlots()
      var leaves = 0
      let pages = registry.oldestFirst
      for page in pages {
        func complain(_ index: Int?, _ what: String) {
          let place = index.map { " entry \($0)" } ?? ""
          breaches.append(
            "page for GFN \(page.gfn) level \(page.role.level)\(place): \(what)")
        }
        for index in 0..<512 {
          let spte = load(page.place(of: index))
          if encoder.isPresent(spte), encoder.isLeaf(spte, at: page.role.level) { leaves += 1 }
          if let what = breach(page, index, spte) { complain(index, "\(what), SPTE \(spte)") }
        }
        for parent in page.facts.parents {
          let spte = load(parent.page.place(of: parent.index))
          if !encoder.isPresent(spte) || encoder.pfn(of: spte) != page.pfn {
            complain(nil, "a parent's entry leads elsewhere")
          }
        }
        if page.isInvalid {
          if page.facts.rootCount == 0 { complain(nil, "invalid, unused and not freed") }
        } else if page.shadowsTable, registry.find(page.gfn, page.role) != page {
          complain(nil, "its frame is not tracked")
        }
        if page.isUnsync != state.unsyncPages.contains(where: { $0 == page }) {
          complain(nil, "out of step and not on the list, or the other way")
        }
      }
      if leaves != reverseMap.count {
        breaches.append("\(leaves) leaves, \(reverseMap.count) in the reverse map")
      }
      if pages.count != pool.inUse || pages.count != registry.count {
        breaches.append(
          "\(pages.count) pages, \(registry.count) counted, \(pool.inUse) taken from the pool")
      }
    }
    return breaches
  }

  /// What is wrong with an entry, or `nil`.
  private func breach(_ page: ShadowPage, _ index: Int, _ spte: SPTE) -> String? {
    let masks = encoder.layout.masks
    if spte == encoder.layout.nonPresent { return nil }
    if spte == encoder.layout.noTrap {
      return isGuestsOwn(page, index) ? nil : "left to the guest, which has an entry"
    }
    if page.isInvalid { return "a zapped page has an entry" }
    if encoder.isMMIO(spte) { return mmioBreach(page, index, spte) }
    guard encoder.isPresent(spte) else { return "neither present, MMIO nor empty" }
    if !encoder.isLeaf(spte, at: page.role.level) { return tableBreach(page, index, spte) }
    let gfn = page.frame(of: index)
    if !reverseMap.contains(page, index) { return "not in the reverse map" }
    let writability = spte.rawValue & (masks.hostWritable | masks.mmuWritable | masks.writable)
    let legal = [
      masks.hostWritable | masks.mmuWritable | masks.writable,
      masks.hostWritable | masks.mmuWritable, masks.hostWritable, 0,
    ]
    if !legal.contains(writability) { return "writable bits that E4 does not know" }
    guard let slot = state.slots[page.role.space.rawValue].slot(for: gfn),
      let pfn = slot.pfn(of: gfn)
    else {
      return "no memslot backs GFN \(gfn)"
    }
    if pfn != encoder.pfn(of: spte) { return "GFN \(gfn) is behind another host page" }
    if encoder.isWritable(spte), !mayWrite(gfn, at: page.role.level) {
      return "a tracked table's frame \(gfn) is writable"
    }
    if page.isUnsync || page.role.isDirect { return nil }
    return leafBreach(page, index, spte)
  }

  private func guestEntry(_ page: ShadowPage, _ index: Int) -> GuestEntry? {
    let table = table(of: page)
    return entry(page, index, in: table).map { table.format.decode($0, at: page.role.level) }
  }

  private func leafBreach(_ page: ShadowPage, _ index: Int, _ spte: SPTE) -> String? {
    guard let entry = guestEntry(page, index), entry.kind == .leaf else {
      return "the guest's entry is no leaf"
    }
    let size = PageSize(shift: 3 + 9 * page.role.level.rawValue)
    let gfn = page.frame(of: index)
    // Of a 4 MiB page an entry maps a half.
    if entry.base.frame != gfn,
      gfn.baseAddress.roundedDown(to: entry.pageSize) != entry.base
        || entry.pageSize <= size
    {
      return "the guest's entry leads to \(entry.base)"
    }
    var granted = page.role.access.intersection(entry.permissions)
    if !entry.isDirty { granted.remove(.write) }
    let masks = encoder.layout.masks
    let posesAsKernel = !page.role.writeProtect && spte.rawValue & masks.user == 0
    if encoder.isWritable(spte), !granted.contains(.write), !(posesAsKernel && entry.isDirty) {
      return "writable beyond the guest's entry"
    }
    let isReadable = encoder.permits(.read, spte)
    if isReadable, !granted.contains(.read) { return "readable beyond the guest's entry" }
    if isReadable, spte.rawValue & masks.user != 0, !granted.contains(.user) { return "user page" }
    if encoder.permits(.fetch, spte), !granted.contains(.execute) { return "executable" }
    return nil
  }

  private func tableBreach(_ page: ShadowPage, _ index: Int, _ spte: SPTE) -> String? {
    guard let child = registry.page(at: encoder.pfn(of: spte)) else { return "leads to no page" }
    if child.isInvalid { return "leads to a zapped page" }
    if !child.facts.parents.contains(where: { $0.page == page && $0.index == index }) {
      return "its child does not know it"
    }
    if page.role.isTop || page.role.isDirect { return nil }
    guard let entry = guestEntry(page, index) else { return "the guest's entry is in no memory" }
    if child.role.isDirect {
      if entry.kind != .leaf { return "a run of frames where the guest has no large page" }
      let isInside = child.gfn.baseAddress.roundedDown(to: entry.pageSize) == entry.base
      return isInside ? nil : "a run of frames outside the guest's large page"
    }
    if entry.kind != .table || entry.base.frame != child.gfn {
      return "the guest's entry leads to \(entry.base)"
    }
    let granted = page.role.access.intersection(entry.permissions)
    return child.role.access == granted ? nil : "a child of other rights"
  }

  private func mmioBreach(_ page: ShadowPage, _ index: Int, _ spte: SPTE) -> String? {
    guard let mmio = encoder.layout.mmio else { return "MMIO without a layout for it" }
    if page.role.level != .pageTable { return "MMIO above the leaf tables" }
    let gfn = mmio.gfn(of: spte)
    if gfn != page.frame(of: index) { return "MMIO of another frame" }
    if mmio.generation(of: spte)
      == mmio.truncated(state.slots[page.role.space.rawValue].generation),
      state.slots[page.role.space.rawValue].slot(for: gfn) != nil
    {
      return "MMIO of this generation for a frame that has a slot"
    }
    if page.isUnsync || page.role.isDirect { return nil }
    guard let entry = guestEntry(page, index), entry.kind == .leaf, entry.base.frame == gfn else {
      return "the guest's entry leads elsewhere"
    }
    return nil
  }
}
