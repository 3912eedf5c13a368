import MMU
public import Paging

extension VCPUState {
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
    let cached = CachedTranslation<Guest>(
      entry: entry, fill: fill, gva: gva, linear: linear, isTLBHit: true)
    let finding = finding(cached, for: access)
    if finding?.verdict == .mmu {
      // Somebody may be changing tables just now, and have yet to say so: then it goes.
      leave()
      mmu.settle()
      enter()
    } else if !mmu.isCurrent(context) {
      // To look at tables the vCPU may have left.
      enter()
    }
    guard tlb.place(of: linear, tag: guest.addressSpaceTag) == place else { return false }
    if let finding { report(finding) }
    return true
  }

  /// Notes what a walk has put in the TLB. Shadow tables may lag behind the guest's, and then the
  /// translation is stale from the beginning.
  ///
  /// - Returns: false where the vCPU was outside meanwhile, so that it has to walk anew.
  @usableFromInline
  @inline(never)
  mutating func noteFill(
    _ entry: TLBEntry<Guest.Rights>, at place: Int, for access: Guest.Access, gva: GVA,
    cachedAs linear: GVA
  ) -> Bool {
    guard let ledger = watch?.ledger else { return true }
    let stay = mmu.stay(of: context)
    let (page, reading) = ledger.inTurn { () -> (GuestPage<Guest>?, TableReading) in
      let found = guestPage(gva, for: access)
      ledger.walked(found.reading)
      return found
    }
    var fill = TranslationWatch.Fill(
      time: ledger.now(), permissions: page?.permissions ?? guest.permissions(of: entry.rights),
      memoryType: page?.memoryType ?? 0)
    fill.frame = page?.place?.frame ?? entry.gpa?.frame
    if case .page(_, _, let memoryType) = mmu.backing(
      of: linear, at: page?.address, for: access, by: guest, on: &context)
    {
      fill.hostMemoryType = memoryType
    }
    watch?.fills[place] = fill
    let cached = CachedTranslation<Guest>(
      entry: entry, fill: fill, gva: gva, linear: linear, isTLBHit: false)
    let byGuest = difference(cached, page, for: access)
    if !byGuest.isEmpty, let finding = guestFinding(cached, byGuest, page, reading) {
      report(finding)
    }
    return stay == mmu.stay(of: context)
  }

  /// Moves the bytes of an access, and has the ledger see a write.
  @usableFromInline
  @inline(never)
  mutating func watchedTransfer(
    _ access: Guest.Access, _ low: Part, _ high: Part?
  ) -> AccessReport<Guest.Fault>.Outcome {
    guard let watch, access.kind == .write else { return transfer(access, low, high) }
    let places = [low, high].compactMap { $0 }.compactMap { part in
      part.hpa.map { (hpa: $0, byteCount: part.size) }
    }
    var outcome = AccessReport<Guest.Fault>.Outcome.done(0)
    watch.ledger.write(by: watch.vcpu, to: places) {
      outcome = moveBytes(access, low, high)
    } tell: {
      if case .done = outcome { tell(access, low, high) }
    }
    return outcome
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

  /// In what a translation from the TLB is stale, who made it so, and who has to flush; `nil` where it is
  /// not.
  private mutating func finding(
    _ cached: CachedTranslation<Guest>, for access: Guest.Access
  ) -> StaleTranslation? {
    guard let ledger = watch?.ledger else { return nil }
    let (page, reading) = ledger.inTurn { guestPage(cached.gva, for: access) }
    let byGuest = difference(cached, page, for: access)
    if let (byHost, now) = hostDifference(cached, byGuest, page, for: access) {
      return hostFinding(cached, byHost, now)
    }
    if byGuest.isEmpty { return nil }
    defer { ledger.walked(reading) }
    return guestFinding(cached, byGuest, page, reading)
  }
}
