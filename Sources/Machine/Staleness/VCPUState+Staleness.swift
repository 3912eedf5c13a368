import MMU
public import Paging

extension VCPUState {
  /// What the guest's own tables say of a page at this moment.
  private struct GuestPage {
    var gpa: GPA
    var rights, tableRights: Guest.Rights
    var leaf: UInt64
    var permissions: Permissions
    var memoryType: Int
  }

  /// A cached translation and what was so when it was cached.
  private struct Cached {
    let entry: TLBEntry<Guest.Rights>
    let fill: TranslationWatch.Fill
    let gva: GVA
    let linear: GVA
    let isTLBHit: Bool
  }

  /// Checks a translation from the TLB before it is used, and tells where it is stale.
  ///
  /// - Returns: false where it had to go meanwhile, so that the tables decide.
  @usableFromInline
  @inline(never)
  mutating func isStillCached(
    _ entry: TLBEntry<Guest.Rights>, for access: Guest.Access, at gva: GVA, cachedAs linear: GVA
  ) -> Bool {
    guard let watch, let place = tlb.place(of: linear, tag: guest.addressSpaceTag),
      let fill = watch.fills[place]
    else { return true }
    let cached = Cached(entry: entry, fill: fill, gva: gva, linear: linear, isTLBHit: true)
    guard var finding = finding(cached, for: access) else { return true }
    if finding.verdict == .mmu {
      // Somebody may be changing the tables just now, and have yet to say so.
      leave()
      mmu.settle()
      enter()
      guard tlb.place(of: linear, tag: guest.addressSpaceTag) == place else { return false }
      guard let again = self.finding(cached, for: access) else { return true }
      finding = again
    }
    report(finding)
    return true
  }

  /// Notes what a walk has put in the TLB. Shadow tables may lag behind the guest's, and then the
  /// translation is stale from the beginning.
  @usableFromInline
  @inline(never)
  mutating func noteFill(
    _ entry: TLBEntry<Guest.Rights>, at place: Int, for access: Guest.Access, gva: GVA,
    cachedAs linear: GVA
  ) {
    guard let ledger = watch?.ledger else { return }
    let (page, steps) = ledger.inTurn { guestPage(gva, for: access) }
    note(steps, in: ledger)
    var fill = TranslationWatch.Fill(
      time: ledger.now(), permissions: page?.permissions ?? guest.permissions(of: entry.rights),
      memoryType: page?.memoryType ?? 0)
    if case .page(_, _, let memoryType) = mmu.backing(
      of: linear, at: entry.gpa, for: access, by: guest, on: &context)
    {
      fill.hostMemoryType = memoryType
    }
    watch?.fills[place] = fill
    let cached = Cached(entry: entry, fill: fill, gva: gva, linear: linear, isTLBHit: false)
    if let finding = finding(cached, for: access) { report(finding) }
  }

  /// Moves the bytes of an access, and has the ledger see a write.
  @usableFromInline
  @inline(never)
  mutating func watchedTransfer(
    _ access: Guest.Access, _ low: Part, _ high: Part?
  ) -> AccessReport<Guest.Fault>.Outcome {
    guard let watch, access.kind == .write else { return transfer(access, low, high) }
    let written = [low, high].compactMap { $0 }.filter { $0.hpa != nil }
    return watch.ledger.write(
      by: watch.vcpu, to: written.compactMap { part in part.gpa.map { ($0, part.size) } }
    ) { transfer(access, low, high) }
  }

  /// Drops what an instruction of the guest drops from the TLB.
  ///
  /// - Parameter time: the ledger's, from before anything was dropped anywhere.
  @inlinable  // PERF: switch.shadow
  mutating func drop(_ scope: TLBInvalidation, since time: UInt64?) {
    tlb.invalidate(scope)
    if let time { note(scope, since: time) }
  }

  @usableFromInline
  func note(_ scope: TLBInvalidation, since time: UInt64) {
    if let watch { watch.ledger.invalidated(scope, on: watch.vcpu, since: time) }
  }

  /// The ledger's time, where there is one.
  @inlinable
  var ledgerTime: UInt64? { watch == nil ? nil : now }

  @usableFromInline
  var now: UInt64? { watch?.ledger.now() }

  private func report(_ finding: StaleTranslation) {
    watch?.ledger.add(finding)
    if Observer.listens { observer.observe(.staleTranslation(finding)) }
  }

  /// In what a translation is stale, who made it so, and who has to flush; `nil` where it is not.
  private mutating func finding(
    _ cached: Cached, for access: Guest.Access
  ) -> StaleTranslation? {
    guard let watch else { return nil }
    return watch.ledger.inTurn { () -> StaleTranslation? in
      let (page, steps) = guestPage(cached.gva, for: access)
      let byGuest = difference(cached, page, for: access)
      if cached.isTLBHit, let (byHost, now) = hostDifference(cached, byGuest, for: access) {
        return hostFinding(cached, watch, byHost, now)
      }
      if byGuest.isEmpty { return nil }
      defer { note(steps, in: watch.ledger) }
      return guestFinding(cached, watch, byGuest, page, steps)
    }
  }

  /// What the guest's tables say otherwise.
  private func difference(
    _ cached: Cached, _ page: GuestPage?, for access: Guest.Access
  ) -> StaleTranslation.Difference {
    guard let page else { return .frame }
    if let gpa = cached.entry.gpa, gpa != page.gpa { return .frame }
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
  private mutating func hostDifference(
    _ cached: Cached, _ byGuest: StaleTranslation.Difference, for access: Guest.Access
  ) -> (StaleTranslation.Difference, StaleTranslation.Page?)? {
    let entry = cached.entry
    var page = StaleTranslation.Page(
      gpa: entry.gpa, hpa: entry.hpa, permissions: entry.kept,
      memoryType: cached.fill.memoryType)
    if let gpa = entry.gpa {
      var hint = 0
      let slot = mmu.memory.slots(of: mmu.addressSpace(of: context))
        .slot(for: gpa.frame, hint: &hint)
      guard let slot else { return (.frame, nil) }
      if slot.privateHost == nil, slot.pfn(of: gpa.frame) != entry.hpa.frame {
        page.hpa = slot.pfn(of: gpa.frame)?.baseAddress
        return (.frame, page)
      }
      if slot.flags.contains(.readOnly), entry.kept.contains(.write) {
        page.permissions.remove(.write)
        return (.rights, page)
      }
    }
    // Shadow tables follow the guest's, so that they may differ because those do.
    if MMU.interceptsInvalidation, !byGuest.isEmpty { return nil }
    switch mmu.backing(of: cached.linear, at: entry.gpa, for: access, by: guest, on: &context) {
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

  private func hostFinding(
    _ cached: Cached, _ watch: TranslationWatch, _ difference: StaleTranslation.Difference,
    _ now: StaleTranslation.Page?
  ) -> StaleTranslation {
    let entry = cached.entry
    let operation = entry.gpa.flatMap {
      watch.ledger.lastOperation(on: $0.frame, since: cached.fill.time)
    }
    return StaleTranslation(
      vcpu: watch.vcpu, gva: cached.gva, isTLBHit: true,
      old: StaleTranslation.Page(
        gpa: entry.gpa, hpa: entry.hpa, permissions: entry.kept,
        memoryType: cached.fill.memoryType),
      new: now, difference: difference, cause: operation.map { .host($0) } ?? .unknown,
      verdict: .mmu)
  }

  private func guestFinding(
    _ cached: Cached, _ watch: TranslationWatch, _ difference: StaleTranslation.Difference,
    _ page: GuestPage?, _ steps: [WalkStep]
  ) -> StaleTranslation {
    let entry = cached.entry
    let change = watch.ledger.lastChange(of: steps)
    let isGlobal = entry.isGlobal || page.map { guest.isGlobal(leaf: $0.leaf) } ?? false
    let flush = watch.ledger.lastInvalidation(
      of: cached.linear, size: entry.guestPageSize, tag: entry.tag, isGlobal: isGlobal,
      on: watch.vcpu)
    let permissions =
      cached.isTLBHit ? cached.fill.permissions : guest.permissions(of: entry.rights)
    return StaleTranslation(
      vcpu: watch.vcpu, gva: cached.gva, isTLBHit: cached.isTLBHit,
      old: StaleTranslation.Page(
        gpa: entry.gpa, hpa: entry.hpa, permissions: permissions,
        memoryType: cached.fill.memoryType),
      new: page.map {
        StaleTranslation.Page(
          gpa: $0.gpa, hpa: hostPage(of: $0.gpa), permissions: $0.permissions,
          memoryType: $0.memoryType)
      },
      difference: difference, cause: change.map { .write($0.write) } ?? .unknown,
      verdict: flush > change?.time ?? cached.fill.time ? .mmu : .guest)
  }

  private func hostPage(of gpa: GPA) -> HPA? {
    var hint = 0
    return mmu.memory.slots(of: mmu.addressSpace(of: context)).slot(for: gpa.frame, hint: &hint)?
      .pfn(of: gpa.frame)?.baseAddress
  }

  /// The guest's walk, without side effects: pages that are missing are not asked for.
  private func guestPage(
    _ gva: GVA, for access: Guest.Access
  ) -> (page: GuestPage?, steps: [WalkStep]) {
    let space = mmu.addressSpace(of: context)
    let view = space == .normal ? mmu.memory.presentView : mmu.memory.view(of: space)
    var recording = Recording(Probe())
    guard case .success(let found) = guest.translate(gva, for: access, in: view, &recording) else {
      return (nil, recording.steps)
    }
    let page = GuestPage(
      gpa: found.address.roundedDown(to: .size4KiB), rights: found.rights,
      tableRights: found.tableRights, leaf: found.leaf,
      permissions: guest.permissions(of: found.rights),
      memoryType: guest.memoryType(ofLeaf: found.leaf, at: found.level))
    return (page, recording.steps)
  }

  /// Has the ledger see what becomes of the entries of a walk.
  private func note(_ steps: [WalkStep], in ledger: TranslationLedger) {
    func format(_ guest: some ShadowedGuest) -> (size: Int, marks: UInt64) {
      (guest.entries.entrySize == 4 ? 4 : 8, guest.entries.markBits)
    }
    let (size, marks) = (guest as? any ShadowedGuest).map { format($0) } ?? (8, 0)
    ledger.walked(steps, size: size, marks: marks)
  }
}
