import MMU
import Paging

/// In what translations are stale, by whose tables.
extension VCPUState {
  /// The guest's walk, without side effects: pages that are missing are not asked for.
  func guestPage(
    _ gva: GVA, for access: Guest.Access
  ) -> (page: GuestPage<Guest>?, reading: TableReading) {
    let reading = TableReading()
    func marks(_ guest: some ShadowedGuest) -> UInt64 { guest.entries.markBits }
    let memory = ReadingMemory(
      mmu, for: context, gva: gva, marks: (guest as? any ShadowedGuest).map { marks($0) } ?? 0,
      noting: reading)
    guard case .success(let found) = guest.translate(gva, for: access, in: memory, Probe()) else {
      return (nil, reading)
    }
    let place = mmu.place(of: found.address, gva: gva, on: context, noting: reading)
    let page = GuestPage<Guest>(
      address: found.address, place: place, rights: found.rights, tableRights: found.tableRights,
      leaf: found.leaf,
      permissions: guest.permissions(of: found.rights)
        .intersection(place?.permissions ?? .all),
      memoryType: guest.memoryType(ofLeaf: found.leaf, at: found.level))
    return (page, reading)
  }

  /// What the guest's tables say otherwise, those of a hypervisor around it included.
  func difference(
    _ cached: CachedTranslation<Guest>, _ page: GuestPage<Guest>?, for access: Guest.Access
  ) -> StaleTranslation.Difference {
    guard let page, let place = page.place else { return .frame }
    if let gpa = cached.entry.gpa, gpa != place.gpa.roundedDown(to: .size4KiB) { return .frame }
    var difference: StaleTranslation.Difference = []
    let isGranted = guest.permits(
      access, rights: page.rights, tables: page.tableRights, leaf: page.leaf)
    if !isGranted || !cached.fill.permissions.isSubset(of: page.permissions) {
      difference.insert(.rights)
    }
    if cached.fill.memoryType != page.memoryType { difference.insert(.memoryType) }
    return difference
  }

  /// What the memslots and the host's tables say otherwise, and what they say.
  mutating func hostDifference(
    _ cached: CachedTranslation<Guest>, _ byGuest: StaleTranslation.Difference,
    _ found: GuestPage<Guest>?, for access: Guest.Access
  ) -> (StaleTranslation.Difference, StaleTranslation.Page?)? {
    let entry = cached.entry
    var page = cached.page(entry.kept)
    if let found, !byGuest.contains(.frame) {
      let hpa = found.place?.hpa?.roundedDown(to: .size4KiB)
      if hpa != entry.hpa {
        page.hpa = hpa
        return (.frame, hpa == nil ? nil : page)
      }
      if found.place?.isReadOnly == true, entry.kept.contains(.write) {
        page.permissions.remove(.write)
        return (.rights, page)
      }
    }
    // Tables that follow the guest's may differ because those do.
    if MMU.followsGuestTables, !byGuest.isEmpty { return nil }
    let gpa = MMU.followsGuestTables ? found?.address : entry.gpa
    switch mmu.backing(of: cached.linear, at: gpa, for: access, by: guest, on: &context) {
    case .unknown: return nil
    case .nothing: return (.frame, nil)
    case .page(let hpa, let permissions, let memoryType):
      var difference: StaleTranslation.Difference = []
      if hpa != entry.hpa { difference.insert(.frame) }
      if !entry.kept.isSubset(of: permissions) { difference.insert(.rights) }
      if let old = cached.fill.hostMemoryType, old != memoryType { difference.insert(.memoryType) }
      if difference.isEmpty { return nil }
      (page.hpa, page.permissions) = (hpa, permissions)
      return (difference, page)
    }
  }

  func hostFinding(
    _ cached: CachedTranslation<Guest>, _ difference: StaleTranslation.Difference,
    _ now: StaleTranslation.Page?
  ) -> StaleTranslation? {
    guard let watch else { return nil }
    let operation = cached.fill.frame.flatMap {
      watch.ledger.lastOperation(on: $0, since: cached.fill.time)
    }
    return StaleTranslation(
      vcpu: watch.vcpu, gva: cached.gva, isTLBHit: true, old: cached.page(cached.entry.kept),
      new: now, difference: difference, cause: operation.map { .host($0) } ?? .unknown,
      verdict: .mmu)
  }

  /// The finding where the guest's tables say otherwise: theirs who changed them and have yet to flush,
  /// else the MMU's; `nil` while the MMU is about to hear of the change.
  func guestFinding(
    _ cached: CachedTranslation<Guest>, _ difference: StaleTranslation.Difference,
    _ page: GuestPage<Guest>?, _ reading: TableReading
  ) -> StaleTranslation? {
    guard let watch else { return nil }
    let entry = cached.entry
    let changes = watch.ledger.changes(of: reading)
    let isGlobal = entry.isGlobal || page.map { guest.isGlobal(leaf: $0.leaf) } ?? false
    let flushed = watch.ledger.lastInvalidation(
      of: cached.linear, size: entry.guestPageSize, tag: entry.tag, isGlobal: isGlobal,
      secondLevel: reading.secondLevelRoot, on: watch.vcpu)
    let unflushed = changes.last {
      ($0.isSecondLevel ? flushed.secondLevel : flushed.linear) <= $0.change.time
    }
    let verdict: StaleTranslation.Verdict
    if let unflushed {
      verdict = unflushed.isSecondLevel ? .hypervisor : .guest
    } else if changes.isEmpty, flushed.linear <= cached.fill.time {
      verdict = .guest
    } else {
      verdict = .mmu
      if changes.contains(where: { !$0.isTold }) { return nil }
    }
    let cause = unflushed ?? changes.last
    return StaleTranslation(
      vcpu: watch.vcpu, gva: cached.gva, isTLBHit: cached.isTLBHit,
      old: cached.page(
        cached.isTLBHit ? cached.fill.permissions : guest.permissions(of: entry.rights)),
      new: page.map {
        StaleTranslation.Page(
          gpa: ($0.place?.gpa ?? $0.address).roundedDown(to: .size4KiB),
          hpa: $0.place?.hpa?.roundedDown(to: .size4KiB), permissions: $0.permissions,
          memoryType: $0.memoryType)
      },
      difference: difference, cause: cause.map { .write($0.change.write) } ?? .unknown,
      verdict: verdict)
  }
}
