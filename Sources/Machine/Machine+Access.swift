public import MMU
public import Paging

extension Machine {
  /// How often one access may exit before it is given up as not getting on.
  @inlinable
  static var exitBudget: Int { 64 }

  /// Where the bytes of an access are.
  @usableFromInline
  enum Destination {
    case memory(HPA, gpa: GPA?, isTLBHit: Bool)
    /// Memory whose writes the MMU must hear of.
    case tracked(HPA, gpa: GPA)
    case mmio(GPA)
    case fault(Guest.Fault)
    case injected(vector: UInt8, errorCode: UInt32)
    case failed(FaultError)
  }

  /// Reads, writes or fetches 1 to 16 bytes as the guest would.
  ///
  /// An access that crosses a page is translated twice, the lower page first, and nothing is written
  /// unless both succeed.
  ///
  /// - Parameters:
  ///   - size: **Units** bytes, 1...16; clamped.
  ///   - value: what is written, little-endian; ignored otherwise.
  @inlinable
  public func vcpu(
    _ index: Int, access: Guest.Access, at gva: GVA, size: Int, value: UInt128 = 0
  ) -> AccessReport<Guest.Fault> {
    let vcpu = vcpus[index]
    let size = min(max(size, 1), 16)
    var exits = ExitCounters()
    let mask = ~(0 as UInt128) >> UInt128(128 - size * 8)
    let report = perform(access, at: gva, size: size, value: value & mask, on: vcpu, &exits)
    mmu.exit(&vcpu.state.context)
    vcpu.state.exits += exits
    switch report.outcome {
    case .fault(let fault):
      if let fault = fault as? any VectoredFault {
        vcpu.state.faults[fault.vector, default: 0] += 1
      }
    case .injected(let vector, _): vcpu.state.faults[vector, default: 0] += 1
    case .done, .failed: break
    }
    return report
  }

  @inlinable
  func perform(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128, on vcpu: VCPU<Guest, MMU>,
    _ exits: inout ExitCounters
  ) -> AccessReport<Guest.Fault> {
    if let stop = mmu.pendingStop(vcpu.state.context) {
      exits[stop.cause] += 1
      return finish(access, 0, 0, .failed(stop.error), exits, on: vcpu)
    }
    enter(vcpu)
    var first = destination(of: gva, for: access, on: vcpu, &exits)
    let room = Int(4096 - gva.offset(in: .size4KiB))
    if size <= room {
      return finish(access, size, value, first, exits, on: vcpu)
    }
    var upper = first
    for _ in 0..<Self.exitBudget {
      let flushes = vcpu.state.flushes
      let lowReport = finish(access, 0, 0, first, exits, on: vcpu)
      guard case .done = lowReport.outcome else { return lowReport }
      upper = destination(of: gva.wrappingAdd(UInt64(room)), for: access, on: vcpu, &exits)
      let upperReport = finish(access, 0, 0, upper, exits, on: vcpu)
      guard case .done = upperReport.outcome else { return upperReport }
      if flushes == vcpu.state.flushes { break }
      // Tables changed while the upper page was looked for: the lower one may be elsewhere.
      first = destination(of: gva, for: access, on: vcpu, &exits)
    }
    let shift = UInt128(room * 8)
    let isUpperFirst = if case .mmio = first { true } else { false }
    // A device may change the machine, so the vCPU is outside when it is asked; memory goes first.
    let early =
      isUpperFirst
      ? finish(access, size - room, value >> shift, upper, exits, on: vcpu) : nil
    var report = finish(access, room, value, first, exits, on: vcpu)
    let rest = early ?? finish(access, size - room, value >> shift, upper, exits, on: vcpu)
    if case .done(let low) = report.outcome, case .done(let high) = rest.outcome {
      report.outcome = .done(low | high << shift)
      report.mmio = report.mmio ?? rest.mmio
      return report
    }
    return rest
  }

  /// Brings the vCPU's root and TLB up to date.
  @inlinable
  func enter(_ vcpu: VCPU<Guest, MMU>) {
    if mmu.enter(&vcpu.state.context) {
      vcpu.state.tlb.invalidate(.everything)
      vcpu.state.flushes += 1
    }
  }

  /// Translates the address of one page's bytes, exiting to the MMU as often as it takes.
  @inlinable
  func destination(
    of gva: GVA, for access: Guest.Access, on vcpu: VCPU<Guest, MMU>, _ exits: inout ExitCounters
  ) -> Destination {
    let tag = vcpu.state.guest.addressSpaceTag
    let linear = vcpu.state.guest.cachedAddress(of: gva, for: access)
    if let linear, let entry = vcpu.state.tlb.lookUp(linear, tag: tag) {
      let cached = entry.translation
      if cached.hostPermissions.contains(access.kind.permission),
        access.kind != .write || cached.isDirty,
        vcpu.state.guest.permits(
          access, rights: cached.rights, tables: cached.tableRights, leaf: cached.leaf)
      {
        vcpu.state.tlbHits += 1
        let offset = gva.offset(in: .size4KiB)
        return .memory(
          cached.hpa.wrappingAdd(offset), gpa: cached.gpa?.wrappingAdd(offset), isTLBHit: true)
      }
      // More is asked than is cached: what is cached goes, and the tables decide.
      vcpu.state.tlb.invalidate(.page(linear, tag: tag))
    }
    vcpu.state.tlbMisses += 1
    var lastGPA = GPA(0)
    for _ in 0..<Self.exitBudget {
      switch mmu.walk(gva, for: access, by: vcpu.state.guest, on: &vcpu.state.context) {
      case .success(let found):
        if let linear { insert(found, for: linear, tag: tag, on: vcpu) }
        return .memory(found.hpa, gpa: found.gpa, isTLBHit: false)
      case .failure(.guest(let fault)):
        vcpu.state.tlb.invalidate(.page(linear ?? gva, tag: tag))
        return .fault(fault)
      case .failure(.contended): continue
      case .failure(.modificationLogFull):
        exits[.pmlFull] += 1
        mmu.drainModificationLog(&vcpu.state.context)
      case .failure(.outside(let hpa)):
        exits[.error] += 1
        return .failed(.unbacked(GFN(hpa.frame.rawValue)))
      case .failure(.exit(let exit)):
        exits[exit.cause] += 1
        if Observer.listens { observer.observe(.exit(exit.cause, exit.description)) }
        let outcome = mmu.handle(exit, on: &vcpu.state.context, observer)
        enter(vcpu)
        switch outcome {
        case .fixed, .spurious, .retry: continue
        case .inject(let vector, let errorCode):
          vcpu.state.faultAddress = linear ?? gva
          return .injected(vector: vector, errorCode: errorCode)
        case .failed(let error):
          exits[.error] += 1
          return .failed(error)
        case .perform(let gpa):
          lastGPA = gpa
          if let hpa = memory.hpa(of: gpa) { return .tracked(hpa, gpa: gpa) }
        case .emulate(let gpa):
          lastGPA = gpa
          if let result = emulate(
            gva, for: access, at: exit.isTableAccess ? nil : gpa, on: vcpu, &exits)
          {
            return result
          }
          // The tables lead elsewhere by now: nothing that is cached of the address may stay.
          mmu.invalidatePage(linear ?? gva, on: &vcpu.state.context, observer)
        }
      }
    }
    exits[.error] += 1
    return .failed(.livelock(lastGPA))
  }

  /// Finds what an access that the MMU cannot map is about, by the guest's own tables: the bytes at
  /// `gpa`, or a table entry there that nobody can read (SPEC W14).
  ///
  /// - Parameter gpa: the address to be emulated; `nil` where the hardware could not use a table
  ///   entry, so that software walks for it (tables in a read-only slot, SPEC W11).
  /// - Returns: `nil` where the tables lead elsewhere by now, so that the access is tried again.
  @inlinable
  func emulate(
    _ gva: GVA, for access: Guest.Access, at gpa: GPA?, on vcpu: VCPU<Guest, MMU>,
    _ exits: inout ExitCounters
  ) -> Destination? {
    switch vcpu.state.guest.translate(
      gva, for: access, in: memory.view(of: mmu.addressSpace(of: vcpu.state.context)), Commit())
    {
    case .success(let translation):
      guard let gpa else {
        let isUser = vcpu.state.guest.permissions(of: translation.rights).contains(.user)
        return finalDestination(
          translation.address, access.kind, isUser: isUser, for: gva, on: vcpu, &exits)
      }
      return translation.address.frame == gpa.frame ? .mmio(translation.address) : nil
    case .failure(.fault(let fault)): return .fault(fault)
    case .failure(.unreadable(_, _, let level)):
      return .fault(vcpu.state.guest.faultForUnreadableTable(gva, for: access, at: level))
    case .failure(.contended): return nil
    }
  }

  /// Finds the bytes of an address that software walked to.
  @inlinable
  func finalDestination(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on vcpu: VCPU<Guest, MMU>,
    _ exits: inout ExitCounters
  ) -> Destination {
    for _ in 0..<Self.exitBudget {
      switch mmu.walk(gpa, kind, isUser: isUser, for: gva, on: &vcpu.state.context) {
      case .success(let hpa):
        return hpa.map { .memory($0, gpa: gpa, isTLBHit: false) } ?? .mmio(gpa)
      case .failure(.contended): continue
      case .failure(.modificationLogFull):
        exits[.pmlFull] += 1
        mmu.drainModificationLog(&vcpu.state.context)
      case .failure(.outside): return .failed(.unbacked(gpa.frame))
      case .failure(.exit(let exit)):
        exits[exit.cause] += 1
        let outcome = mmu.handle(exit, on: &vcpu.state.context, observer)
        enter(vcpu)
        switch outcome {
        case .fixed, .spurious, .retry: continue
        case .emulate: return .mmio(gpa)
        case .perform(let gpa):
          if let hpa = memory.hpa(of: gpa) { return .tracked(hpa, gpa: gpa) }
        case .inject(let vector, let errorCode):
          return .injected(vector: vector, errorCode: errorCode)
        case .failed(let error):
          exits[.error] += 1
          return .failed(error)
        }
      }
    }
    exits[.error] += 1
    return .failed(.livelock(gpa))
  }

  @inlinable
  func insert(
    _ found: HardwareTranslation<Guest.Rights>, for gva: GVA, tag: UInt16,
    on vcpu: VCPU<Guest, MMU>
  ) {
    vcpu.state.tlb.insert(
      TLBEntry(
        page: gva.rawValue >> 12, tag: tag, isGlobal: vcpu.state.guest.isGlobal(leaf: found.leaf),
        translation: HardwareTranslation(
          hpa: found.hpa.roundedDown(to: .size4KiB), gpa: found.gpa?.roundedDown(to: .size4KiB),
          rights: found.rights, tableRights: found.tableRights, leaf: found.leaf,
          hostPermissions: found.hostPermissions, isDirty: found.isDirty,
          guestPageSize: found.guestPageSize)))
  }

  /// Moves the bytes; none where `size` is 0.
  @inlinable
  func finish(
    _ access: Guest.Access, _ size: Int, _ value: UInt128, _ destination: Destination,
    _ exits: ExitCounters, on vcpu: VCPU<Guest, MMU>
  ) -> AccessReport<Guest.Fault> {
    var report = AccessReport<Guest.Fault>(.done(0), exits: exits)
    switch destination {
    case .fault(let fault): report.outcome = .fault(fault)
    case .injected(let vector, let errorCode):
      report.outcome = .injected(vector: vector, errorCode: errorCode)
    case .failed(let error): report.outcome = .failed(error)
    case .mmio(let gpa):
      report.gpa = gpa
      guard size > 0 else { break }
      mmu.exit(&vcpu.state.context)
      let answer =
        access.kind == .write
        ? bus.write(value, to: gpa, size: size) : bus.read(gpa, size: size)
      report.mmio = answer
      report.outcome = .done(answer.value)
    case .memory(let hpa, let gpa, let isTLBHit):
      report.gpa = gpa
      report.hpa = hpa
      report.isTLBHit = isTLBHit
      if size > 0 { report.outcome = move(access, size, value, at: hpa) }
    case .tracked(let hpa, let gpa):
      report.gpa = gpa
      report.hpa = hpa
      guard size > 0 else { break }
      report.outcome = move(access, size, value, at: hpa)
      if access.kind == .write {
        mmu.memoryWritten(gpa, byteCount: size, on: &vcpu.state.context, observer)
      }
    }
    return report
  }

  @inlinable
  func move(
    _ access: Guest.Access, _ size: Int, _ value: UInt128, at hpa: HPA
  ) -> AccessReport<Guest.Fault>.Outcome {
    let host = memory.host.view
    if access.kind == .write {
      let isDone = host.writeValue(value, size: size, at: hpa)
      return isDone ? .done(value) : .failed(.unbacked(GFN(hpa.frame.rawValue)))
    }
    guard let read = host.readValue(hpa, size: size) else {
      return .failed(.unbacked(GFN(hpa.frame.rawValue)))
    }
    return .done(read)
  }
}
