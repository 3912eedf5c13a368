public import MMU
public import Paging

extension VCPUState {
  /// Reads, writes or fetches 1 to 16 bytes as the guest would; see
  /// `Machine.vcpu(_:access:at:size:value:)`.
  ///
  /// - Parameters:
  ///   - access: what is asked.
  ///   - gva: the guest virtual address.
  ///   - size: **Units** bytes, 1...16; clamped.
  ///   - value: what is written, little-endian; ignored otherwise.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public mutating func access(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128 = 0
  ) -> AccessResult {
    if let hit = cachedAccess(access, at: gva, size: size, value: value) { return hit }
    return fullAccess(access, at: gva, size: size, value: value)
  }

  /// All that there is to say of the vCPU's last access.
  @inlinable
  public func report(on result: AccessResult) -> AccessReport<Guest.Fault> {
    guard result.isTLBAlone else { return lastReport }
    var report = AccessReport<Guest.Fault>(.done(result.value))
    report.gpa = result.gpa
    report.hpa = result.hpa
    report.isTLBHit = true
    return report
  }

  /// One access from outside the guest and back.
  @inlinable
  mutating func soleAccess(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessReport<Guest.Fault> {
    // A vCPU that may not enter stays outside, where the access finds out why.
    if mmu.pendingStop(context) == nil { enter() }
    let result = self.access(access, at: gva, size: size, value: value)
    leave()
    return report(on: result)
  }

  /// The access where the TLB alone answers: the vCPU is up to date, and the bytes are on one page
  /// that is cached with all rights that are asked for.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  mutating func cachedAccess(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessResult? {
    let offset = gva.offset(in: .size4KiB)
    guard (1...16).contains(size), offset <= UInt64(4096 &- size), mmu.isCurrent(context),
      let linear = guest.cachedAddress(of: gva, for: access),
      let entry = tlb.lookUp(linear, tag: guest.addressSpaceTag),
      permits(access, by: entry, granting: entry.granted)
    else { return nil }
    let hpa = entry.hpa.wrappingAdd(offset)
    guard let moved = move(access, size, value & Self.mask(size), at: hpa) else { return nil }
    tlbHits &+= 1
    return AccessResult(
      value: moved, gpa: entry.gpa?.wrappingAdd(offset), hpa: hpa, isDone: true,
      isTLBAlone: true)
  }

  /// The low bytes. **Requires** a size of 1...16.
  @inlinable
  @inline(__always)
  static func mask(_ size: Int) -> UInt128 {
    .max &>> UInt128(truncatingIfNeeded: 128 &- size &* 8)
  }

  /// Whether what is cached lets an access through.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  func permits(
    _ access: Guest.Access, by entry: TLBEntry<Guest.Rights>, granting granted: Permissions
  ) -> Bool {
    granted.contains(access.kind.permission)
      && guest.permits(
        access, rights: entry.rights, tables: entry.tableRights, leaf: entry.leaf)
  }

  /// Moves the bytes; `nil` where host memory does not hold them.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  func move(_ access: Guest.Access, _ size: Int, _ value: UInt128, at hpa: HPA) -> UInt128? {
    if access.kind == .write { return host.writeValue(value, size: size, at: hpa) ? value : nil }
    return host.readValue(hpa, size: size)
  }

  /// The access with all that it may take: entering the guest, walks, exits, the second page.
  @inlinable
  @inline(never)  // PERF: tlb.hit; what is not needed there is out of line.
  mutating func fullAccess(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessResult {
    let size = min(max(size, 1), 16)
    var exits = AccessExits()
    lastReport = perform(access, at: gva, size: size, value: value & Self.mask(size), &exits)
    lastReport.exits = exits
    self.exits += exits
    var done: UInt128?
    switch lastReport.outcome {
    case .done(let value): done = value
    case .fault(let fault):
      if let fault = fault as? any VectoredFault { faults[fault.vector, default: 0] += 1 }
    case .injected(let vector, _): faults[vector, default: 0] += 1
    case .reflected, .failed: break
    }
    return AccessResult(
      value: done ?? 0, gpa: lastReport.gpa, hpa: lastReport.hpa, isDone: done != nil,
      isTLBAlone: false)
  }

  @inlinable
  mutating func perform(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128, _ exits: inout AccessExits
  ) -> AccessReport<Guest.Fault> {
    if !mmu.isCurrent(context) {
      if let stop = mmu.pendingStop(context) {
        exits[stop.cause] += 1
        return AccessReport(.failed(stop.error))
      }
      enter()
    }
    let first = destination(of: gva, for: access, &exits)
    let room = Int(4096 - gva.offset(in: .size4KiB))
    return size <= room
      ? finish(access, size, value, first)
      : performAcross(access, at: gva, size: size, value: value, first, &exits)
  }

  /// Moves the bytes to or from where they are.
  @inlinable
  mutating func finish(
    _ access: Guest.Access, _ size: Int, _ value: UInt128, _ destination: Destination
  ) -> AccessReport<Guest.Fault> {
    var report = report(of: destination)
    switch destination {
    case .fault, .injected, .reflected, .failed: break
    case .mmio(let gpa):
      let answer = answer(access, size, value, at: gpa)
      report.mmio = answer
      report.outcome = .done(answer.value)
    case .memory, .tracked:
      let part = Part(destination: destination, size: size, value: value)
      report.outcome =
        watch == nil ? transfer(access, part, nil) : watchedTransfer(access, part, nil)
    }
    return report
  }

  /// What is known of an access before its bytes are moved; done where they may be.
  @inlinable
  func report(of destination: Destination) -> AccessReport<Guest.Fault> {
    var report = AccessReport<Guest.Fault>(.done(0))
    switch destination {
    case .fault(let fault): report.outcome = .fault(fault)
    case .injected(let vector, let errorCode):
      report.outcome = .injected(vector: vector, errorCode: errorCode)
    case .reflected(let exit): report.outcome = .reflected(exit)
    case .failed(let error): report.outcome = .failed(error)
    case .mmio(let gpa): report.gpa = gpa
    case .memory(let hpa, let gpa, let isTLBHit):
      report.gpa = gpa
      report.hpa = hpa
      report.isTLBHit = isTLBHit
    case .tracked(let hpa, let gpa):
      report.gpa = gpa
      report.hpa = hpa
    }
    return report
  }

  /// Asks the bus. A device may change the machine, so the vCPU is outside.
  @inlinable
  mutating func answer(
    _ access: Guest.Access, _ size: Int, _ value: UInt128, at gpa: GPA
  ) -> MMIOAnswer {
    leave()
    return access.kind == .write
      ? bus.write(value, to: gpa, size: size) : bus.read(gpa, size: size)
  }
}
