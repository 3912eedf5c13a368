public import Paging

extension ShadowMMU {
  /// Where a descent through the shadow ended.
  @usableFromInline
  enum Descent {
    /// The page whose entry is wanted.
    case arrived(ShadowPage)
    /// The guest's tables have changed since they were walked.
    case changed
    /// No page of memory is left for a table.
    case exhausted
  }

  /// Goes down to the page of a level, linking what is missing.
  ///
  /// Each of the guest's entries is read again once its table is tracked, before anything is linked
  /// below it (SPEC F10).
  @inlinable
  func descend(_ mapping: Mapping, to target: Level, from root: ShadowPage) -> Descent {
    let format = state.formats[root.role.format]
    var page = root
    var access = Permissions.all
    guard isUnchanged(mapping.walk, at: root.role.level, root.role.space, format) else {
      return .changed
    }
    while page.role.level > target {
      let level = page.role.level
      let index = page.index(of: mapping.address)
      if !page.role.isTop, let step = mapping.walk.step(at: level), level > mapping.guestLevel {
        access.formIntersection(format.decode(step.entry, at: level).permissions)
      }
      let (gfn, role) = child(of: page, mapping, access, format)
      let old = load(page.place(of: index))
      if encoder.isPresent(old), !encoder.isLeaf(old, at: level),
        let child = registry.page(at: encoder.pfn(of: old)), child.gfn == gfn, child.role == role
      {
        child.use(state.faultCount)
        page = child
        guard isUnchanged(mapping.walk, at: level.below, root.role.space, format) else {
          return .changed
        }
        continue
      }
      drop(page, index)
      let found =
        role.isTop ? makePage(gfn, role) : self.page(gfn, role)
      guard let child = found else { return .exhausted }
      guard isUnchanged(mapping.walk, at: level.below, root.role.space, format) else {
        return .changed
      }
      syncTables(below: child)
      link(child, under: page, index)
      child.use(state.faultCount)
      page = child
    }
    return .arrived(page)
  }

  /// Frame and role of the page that belongs below an entry.
  @inlinable
  func child(
    of page: ShadowPage, _ mapping: Mapping, _ access: Permissions,
    _ format: borrowing Guest.Entries
  ) -> (GFN, ShadowRole) {
    let level = page.role.level
    var role = page.role.at(level.below)
    if level > mapping.guestLevel || page.role.isTop {
      if level.below > format.topLevel { return (page.gfn, role) }
      role.isTop = false
      role.access = access
      role.quadrant = ShadowPage.quadrant(
        of: mapping.address, at: level.below, entrySize: format.entrySize)
      let entry = mapping.walk.step(at: level.below)?.address
      if level.below == format.topLevel, let entry {
        role.tableOffset = entry.offset(in: .size4KiB) & ~(format.topTableSize - 1)
      }
      return (entry?.frame ?? GFN(0), role)
    }
    // Below the guest's leaf, or without tables: a run of frames.
    role.isDirect = true
    role.isTop = false
    role.access = mapping.guestLevel > Level(5) ? .all : mapping.permissions
    return (mapping.gfn.roundedDown(to: PageSize(shift: 12 + 9 * level.below.rawValue)), role)
  }

  /// Whether the guest's entry of a level is what the walk found, marks apart.
  @inlinable
  @inline(__always)  // PERF: fault.shadow; a format is copied for a call.
  func isUnchanged(
    _ walk: GuestWalk, at level: Level, _ space: AddressSpace, _ format: borrowing Guest.Entries
  ) -> Bool {
    guard let step = walk.step(at: level) else { return true }
    guard let now = guestEntry(at: step.address, space, format) else { return false }
    return (now ^ step.entry) & ~format.markBits == 0
  }

  /// Reads an entry of the guest's tables.
  @inlinable
  @inline(__always)  // PERF: fault.shadow; as above.
  func guestEntry(
    at gpa: GPA, _ space: AddressSpace, _ format: borrowing Guest.Entries
  ) -> UInt64? {
    guard let slot = state.slots[space.rawValue].slot(for: gpa.frame),
      let pfn = slot.pfn(of: gpa.frame)
    else {
      return nil
    }
    return load(
      pfn.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB)), entrySize: format.entrySize)
  }

  /// Reads an entry of a guest's table where it is in host memory.
  @inlinable
  func load(_ place: HPA, entrySize: Int) -> UInt64? {
    if entrySize == 4 {
      guard case .success(let entry) = host.load(place, as: UInt32.self) else { return nil }
      return UInt64(entry)
    }
    guard case .success(let entry) = host.load(place, as: UInt64.self) else { return nil }
    return entry
  }

  /// Maps the page that holds a frame.
  @inlinable
  func map(
    _ mapping: Mapping, _ exit: Exit, _ gpa: GPA, _ root: ShadowPage, on cpu: inout CPU
  ) -> FaultOutcome {
    guard let slot = mapping.slot else { return .retry }
    let page: ShadowPage
    switch descend(mapping, to: mapping.level, from: root) {
    case .changed: return .retry
    case .exhausted:
      // A table on the way was of another role: with room for all of them the next try arrives.
      let count = root.role.level.rawValue - mapping.level.rawValue
      return makePagesAvailable(count, on: &cpu)
        ? .retry : .failed(.tablePagesExhausted(limit: pool.limit))
    case .arrived(let arrived): page = arrived
    }
    let index = page.index(of: mapping.address)
    let first = mapping.gfn.roundedDown(to: PageSize(shift: 3 + 9 * mapping.level.rawValue))
    let withheld = policy.withheldPermissions(gfn: mapping.gfn)
    if withheld.contains(exit.access.kind.permission) || withheld.contains(.read)
      || (exit.access.isUser && withheld.contains(.user))
    {
      return .failed(.denied(gpa))
    }
    if mapping.isWrite { unsyncTables(at: mapping.gfn) }
    let isWritable = mayWrite(first, at: mapping.level)
    if mapping.isWrite, !isWritable { return .perform(gpa) }
    guard
      let new = leaf(
        first, for: page.role, slot, mapping.permissions.subtracting(withheld),
        mapping.protectionKey, isTracked: !isWritable, isWrite: mapping.isWrite)
    else { return .failed(.unbacked(mapping.gfn)) }
    let isNews = set(page, index, to: new, first)
    if isNews { state.tally.spteInstalls += 1 }
    // Marked after W is there: a mark taken before would leave a writable page that counts as clean.
    if mapping.isWrite { slot.logWrite(of: mapping.gfn) }
    if page.role.level == .pageTable { prefetch(around: index, of: page, mapping, slot) }
    if isNews { return .fixed }
    // Nothing to add, and yet the processor refused: another vCPU was first, or no entry can grant it.
    guard let hardware = cpu.hardware else { return .retry }
    if case .success = hardware.translate(exit.address, for: exit.access, in: host, Judge()) {
      return .spurious
    }
    return .perform(gpa)
  }

  /// Makes the leaf of a page, for a table of a role.
  ///
  /// - Returns: `nil` where no host memory is behind it.
  @inlinable
  func leaf(
    _ first: GFN, for role: ShadowRole, _ slot: PlainMemslot, _ permissions: Permissions,
    _ key: UInt8,
    isTracked: Bool, isWrite: Bool, isPrefetch: Bool = false
  ) -> SPTE? {
    let level = role.level
    let size = PageSize(shift: 3 + 9 * level.rawValue)
    guard let pfn = slot.pfn(of: first),
      host.contains(pfn.baseAddress, count: Int(size.bytes))
    else { return nil }
    // A logged page becomes writable by a fault alone, so that the log sees it.
    let isLogged = slot.flags.contains(.logsDirtyPages) && !isWrite
    let spte = encoder.leaf(
      LeafRequest(
        pfn: pfn, level: level, permissions: permissions,
        isHostWritable: !slot.flags.contains(.readOnly), isWriteProtected: isTracked || isLogged,
        isMMUWritable: !isTracked, isPrefetch: isPrefetch, isWrite: isWrite, protectionKey: key))
    return encoder.withMarking(marking(of: role), spte)
  }

  /// How the processor marks what a table of a role maps, and what of it may be believed (SPEC E2).
  @inlinable
  func marking(of role: ShadowRole) -> SPTEMarking {
    if !role.marksEntries { return .none }
    // The log of written pages would hold the inner guest's addresses.
    return role.isNested && options.usesModificationLog ? .writeProtectOnly : .hardware
  }

  /// Puts a leaf in an entry, in place of whatever it holds.
  ///
  /// - Returns: whether anything changed besides the hardware's marks.
  @inlinable
  @discardableResult
  func set(_ page: ShadowPage, _ index: Int, to new: SPTE, _ first: GFN) -> Bool {
    let place = page.place(of: index)
    let old = load(place)
    let isSameFrame =
      encoder.isPresent(old) && encoder.isLeaf(old, at: page.role.level)
      && encoder.pfn(of: old) == encoder.pfn(of: new) && page.frame(of: index) == first
    if !isSameFrame {
      drop(page, index)
      page.note(first, at: index)
      reverseMap.insert(first, page, index)
      fill(place, new)
    } else {
      if isAlike(old, new) { return false }
      store(place, SPTE(new.rawValue | old.rawValue & encoder.layout.masks.accessed))
      if takesRights(from: old, to: new) { state.needsFlush = true }
    }
    notify(.leafInstalled(level: page.role.level, gfn: first, old: old, new: new))
    return true
  }

  /// Whether two leaves differ in the hardware's marks at most.
  @inlinable
  func isAlike(_ left: SPTE, _ right: SPTE) -> Bool {
    let marks = encoder.layout.masks.accessed | encoder.layout.masks.dirty
    return (left.rawValue ^ right.rawValue) & ~marks == 0
  }

  /// Whether a TLB may hold more than a new leaf grants: R, W, U or execution is lost, or U appears,
  /// which SMAP and SMEP judge otherwise, or the key differs.
  @inlinable
  func takesRights(from old: SPTE, to new: SPTE) -> Bool {
    let masks = encoder.layout.masks
    let granting =
      masks.readable | masks.writable | masks.mmuWritable | masks.executable
    let lost = old.rawValue & ~new.rawValue & granting
    let judged = (old.rawValue ^ new.rawValue) & (masks.user | masks.protectionKey)
    return lost | judged != 0 || new.rawValue & ~old.rawValue & masks.noExecute != 0
  }

  /// Maps neighbours of an entry that was just mapped, as far as the guest has used them already
  /// (SPEC F9).
  @inlinable
  func prefetch(
    around index: Int, of page: ShadowPage, _ mapping: Mapping, _ slot: PlainMemslot
  ) {
    let standard = options.prefetchWindow
    let window = max(1, min(policy.prefetchWindow(for: mapping.fault, standard: standard), 512))
    if window == 1 { return }
    let first = index / window * window
    let table = table(of: page)
    for neighbour in first..<min(first + window, 512) where neighbour != index {
      if !encoder.isVacant(load(page.place(of: neighbour))) { continue }
      guard prefetch(page, neighbour, in: table, mapping) else { return }
    }
  }

  /// - Returns: false where the entry cannot be used, so that the run ends.
  @inlinable
  func prefetch(
    _ page: ShadowPage, _ index: Int, in table: borrowing GuestTable, _ mapping: Mapping
  ) -> Bool {
    if page.role.isDirect {
      let gfn = page.frame(of: index)
      return install(
        page, index, gfn, mapping.guestLevel > Level(5) ? .all : page.role.access,
        mapping.protectionKey)
    }
    guard let (entry, gfn) = usableLeaf(page, index, in: table) else { return false }
    var permissions = page.role.access.intersection(entry.permissions)
    if !entry.isDirty { permissions.remove(.write) }
    return install(page, index, gfn, permissions, entry.protectionKey)
  }

  /// Maps an entry that nobody has asked for.
  ///
  /// - Returns: whether it could be.
  @inlinable
  @discardableResult
  func install(
    _ page: ShadowPage, _ index: Int, _ gfn: GFN, _ permissions: Permissions, _ key: UInt8
  ) -> Bool {
    guard let slot = state.slots[page.role.space.rawValue].slot(for: gfn), slot.host != nil,
      !isBeingUnmapped(gfn)
    else { return false }
    let withheld = policy.withheldPermissions(gfn: gfn)
    guard !withheld.contains(.read),
      let new = leaf(
        gfn, for: page.role, slot, permissions.subtracting(withheld), key,
        isTracked: !mayWrite(gfn, at: .pageTable), isWrite: false, isPrefetch: true)
    else { return false }
    if set(page, index, to: new, gfn) { state.tally.prefetched += 1 }
    return true
  }
}
