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
    let mask = ~(0 as UInt128) &>> UInt128(truncatingIfNeeded: 128 &- size &* 8)
    let value = value & mask
    if gva.offset(in: .size4KiB) &+ UInt64(truncatingIfNeeded: size) <= 4096,
      let (hpa, gpa) = enterAndLookUp(gva, for: access, on: &vcpu.state)
    {
      // PERF: tlb.hit; no exit, no fault, so nothing to sum up.
      var report = AccessReport<Guest.Fault>(
        move(access, size, value, at: hpa), exits: ExitCounters())
      report.gpa = gpa
      report.hpa = hpa
      report.isTLBHit = true
      return report
    }
    return performSlowly(access, at: gva, size: size, value: value, on: vcpu)
  }

  /// Brings the root up to date, then asks the TLB.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  func enterAndLookUp(
    _ gva: GVA, for access: Guest.Access, on vcpu: inout VCPUState<Guest, MMU>
  ) -> (hpa: HPA, gpa: GPA?)? {
    if mmu.enter(&vcpu.context) { vcpu.tlb.invalidate(.everything) }
    return lookUp(gva, for: access, on: &vcpu)
  }

  /// An access that the TLB alone does not answer.
  ///
  /// The vCPU is lent for translations and not for moving bytes: a device may do with it what it likes.
  @inlinable
  @inline(never)  // PERF: tlb.hit; keeps its frame and its code out of the hit's.
  func performSlowly(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128, on vcpu: VCPU<Guest, MMU>
  ) -> AccessReport<Guest.Fault> {
    var exits = ExitCounters()
    let report = perform(access, at: gva, size: size, value: value, on: vcpu, &exits)
    if exits.total > 0 { vcpu.state.exits += exits }
    switch report.outcome {
    case .fault(let fault): note(fault, on: vcpu)
    case .injected(let vector, _): vcpu.state.faults[vector, default: 0] += 1
    case .done, .failed: break
    }
    return report
  }

  @usableFromInline
  func note(_ fault: Guest.Fault, on vcpu: VCPU<Guest, MMU>) {
    guard let fault = fault as? any VectoredFault else { return }
    vcpu.state.faults[fault.vector, default: 0] += 1
  }

  @inlinable
  func perform(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128, on vcpu: VCPU<Guest, MMU>,
    _ exits: inout ExitCounters
  ) -> AccessReport<Guest.Fault> {
    let room = Int(4096 - gva.offset(in: .size4KiB))
    if size <= room {
      // `vcpu(_:access:)` has asked the TLB.
      let only = walk(to: gva, for: access, on: &vcpu.state, &exits)
      return finish(access, size, value, only, exits)
    }
    if mmu.enter(&vcpu.state.context) { vcpu.state.tlb.invalidate(.everything) }
    let first = destination(of: gva, for: access, on: &vcpu.state, &exits)
    let lowReport = finish(access, 0, 0, first, exits)
    guard case .done = lowReport.outcome else { return lowReport }
    let upper = destination(
      of: gva.wrappingAdd(UInt64(room)), for: access, on: &vcpu.state, &exits)
    let upperReport = finish(access, 0, 0, upper, exits)
    guard case .done = upperReport.outcome else { return upperReport }
    let shift = UInt128(room * 8)
    var report = finish(access, room, value, first, exits)
    let rest = finish(access, size - room, value >> shift, upper, exits)
    if case .done(let low) = report.outcome, case .done(let high) = rest.outcome {
      report.outcome = .done(low | high << shift)
      report.mmio = report.mmio ?? rest.mmio
      return report
    }
    return rest
  }

  /// Asks the TLB; what grants too little is dropped.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  func lookUp(
    _ gva: GVA, for access: Guest.Access, on vcpu: inout VCPUState<Guest, MMU>
  ) -> (hpa: HPA, gpa: GPA?)? {
    let tag = vcpu.guest.addressSpaceTag
    guard let linear = vcpu.guest.cachedAddress(of: gva, for: access),
      let entry = vcpu.tlb.lookUp(linear, tag: tag)
    else { return nil }
    let cached = entry.translation
    let kind = access.kind
    if cached.hostPermissions.contains(kind.permission), kind != .write || cached.isDirty,
      vcpu.guest.permits(
        access, rights: cached.rights, tables: cached.tableRights, leaf: cached.leaf)
    {
      vcpu.tlbHits &+= 1
      let offset = gva.offset(in: .size4KiB)
      return (cached.hpa.wrappingAdd(offset), cached.gpa?.wrappingAdd(offset))
    }
    // More is asked than is cached: what is cached goes, and the tables decide.
    vcpu.tlb.invalidate(.page(linear, tag: tag))
    return nil
  }

  /// Translates the address of one page's bytes, exiting to the MMU as often as it takes.
  @inlinable
  func destination(
    of gva: GVA, for access: Guest.Access, on vcpu: inout VCPUState<Guest, MMU>, _ exits: inout ExitCounters
  ) -> Destination {
    if let (hpa, gpa) = lookUp(gva, for: access, on: &vcpu) {
      return .memory(hpa, gpa: gpa, isTLBHit: true)
    }
    return walk(to: gva, for: access, on: &vcpu, &exits)
  }

  /// Translates by the tables.
  @inlinable
  func walk(
    to gva: GVA, for access: Guest.Access, on vcpu: inout VCPUState<Guest, MMU>, _ exits: inout ExitCounters
  ) -> Destination {
    let tag = vcpu.guest.addressSpaceTag
    let linear = vcpu.guest.cachedAddress(of: gva, for: access)
    vcpu.tlbMisses += 1
    var lastGPA = GPA(0)
    for _ in 0..<Self.exitBudget {
      switch mmu.walk(gva, for: access, by: vcpu.guest, on: &vcpu.context) {
      case .success(let found):
        if let linear { insert(found, for: linear, tag: tag, on: &vcpu) }
        return .memory(found.hpa, gpa: found.gpa, isTLBHit: false)
      case .failure(.guest(let fault)):
        vcpu.tlb.invalidate(.page(linear ?? gva, tag: tag))
        return .fault(fault)
      case .failure(.contended): continue
      case .failure(.outside(let hpa)):
        exits[.error] += 1
        return .failed(.unbacked(GFN(hpa.frame.rawValue)))
      case .failure(.exit(let exit)):
        exits[exit.cause] += 1
        if Observer.listens { observer.observe(.exit(exit.cause, exit.description)) }
        let outcome = mmu.handle(exit, on: &vcpu.context, observer)
        if mmu.enter(&vcpu.context) { vcpu.tlb.invalidate(.everything) }
        switch outcome {
        case .fixed, .spurious, .retry: continue
        case .inject(let vector, let errorCode):
          return .injected(vector: vector, errorCode: errorCode)
        case .failed(let error):
          exits[.error] += 1
          return .failed(error)
        case .emulate(let gpa):
          lastGPA = gpa
          if let result = emulate(
            gva, for: access, at: exit.isTableAccess ? nil : gpa, on: &vcpu, &exits)
          {
            return result
          }
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
    _ gva: GVA, for access: Guest.Access, at gpa: GPA?, on vcpu: inout VCPUState<Guest, MMU>, _ exits: inout ExitCounters
  ) -> Destination? {
    switch vcpu.guest.translate(gva, for: access, in: memory.view, Commit()) {
    case .success(let translation):
      guard let gpa else {
        let isUser = vcpu.guest.permissions(of: translation.rights).contains(.user)
        return finalDestination(
          translation.address, access.kind, isUser: isUser, for: gva, on: &vcpu, &exits)
      }
      return translation.address.frame == gpa.frame ? .mmio(translation.address) : nil
    case .failure(.fault(let fault)): return .fault(fault)
    case .failure(.unreadable(_, _, let level)):
      return .fault(vcpu.guest.faultForUnreadableTable(gva, for: access, at: level))
    case .failure(.contended): return nil
    }
  }

  /// Finds the bytes of an address that software walked to.
  @inlinable
  func finalDestination(
    _ gpa: GPA, _ kind: AccessKind, isUser: Bool, for gva: GVA, on vcpu: inout VCPUState<Guest, MMU>, _ exits: inout ExitCounters
  ) -> Destination {
    for _ in 0..<Self.exitBudget {
      switch mmu.walk(gpa, kind, isUser: isUser, for: gva, on: &vcpu.context) {
      case .success(let hpa):
        return hpa.map { .memory($0, gpa: gpa, isTLBHit: false) } ?? .mmio(gpa)
      case .failure(.contended): continue
      case .failure(.outside): return .failed(.unbacked(gpa.frame))
      case .failure(.exit(let exit)):
        exits[exit.cause] += 1
        let outcome = mmu.handle(exit, on: &vcpu.context, observer)
        if mmu.enter(&vcpu.context) { vcpu.tlb.invalidate(.everything) }
        switch outcome {
        case .fixed, .spurious, .retry: continue
        case .emulate: return .mmio(gpa)
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
    on vcpu: inout VCPUState<Guest, MMU>
  ) {
    vcpu.tlb.insert(
      TLBEntry(
        page: gva.rawValue >> 12, tag: tag, isGlobal: vcpu.guest.isGlobal(leaf: found.leaf),
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
    _ exits: ExitCounters
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
    }
    return report
  }

  /// Moves the bytes of an access to memory.
  @inlinable
  func move(
    _ access: Guest.Access, _ size: Int, _ value: UInt128, at hpa: HPA
  ) -> AccessReport<Guest.Fault>.Outcome {
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
