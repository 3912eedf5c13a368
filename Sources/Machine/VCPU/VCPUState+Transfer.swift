public import MMU
public import Paging

/// How the bytes of an access are moved, on one page or across two.
extension VCPUState {
  /// The bytes of an access that are on one page.
  @usableFromInline
  struct Part {
    @usableFromInline let destination: Destination
    /// **Units** bytes.
    @usableFromInline let size: Int
    @usableFromInline let value: UInt128

    @inlinable
    init(destination: Destination, size: Int, value: UInt128) {
      self.destination = destination
      self.size = size
      self.value = value
    }

    /// Where the bytes are in host memory; `nil` for those of a device.
    @inlinable
    var hpa: HPA? {
      switch destination {
      case .memory(let hpa, _, _), .tracked(let hpa, _): hpa
      case .mmio, .fault, .injected, .reflected, .failed: nil
      }
    }

    @inlinable
    var gpa: GPA? {
      switch destination {
      case .memory(_, let gpa, _): gpa
      case .tracked(_, let gpa), .mmio(let gpa): gpa
      case .fault, .injected, .reflected, .failed: nil
      }
    }

    @inlinable
    var isTracked: Bool { if case .tracked = destination { true } else { false } }
  }

  /// An access to two pages, of which the lower one is found.
  @inlinable
  @inline(never)
  mutating func performAcross(
    _ access: Guest.Access, at gva: GVA, size: Int, value: UInt128, _ first: Destination,
    _ exits: inout AccessExits
  ) -> AccessReport<Guest.Fault> {
    let room = Int(4096 - gva.offset(in: .size4KiB))
    let shift = UInt128(room * 8)
    var first = first
    for _ in 0..<Self.exitBudget {
      let stay = mmu.stay(of: context)
      let flushes = self.flushes
      // After an exit whose write software performs, the vCPU has not entered yet.
      if !mmu.isCurrent(context) { enter() }
      let lowReport = report(of: first)
      guard case .done = lowReport.outcome else { return lowReport }
      let second = destination(of: gva.wrappingAdd(UInt64(room)), for: access, &exits)
      let highReport = report(of: second)
      guard case .done = highReport.outcome else { return highReport }
      if stay == mmu.stay(of: context), flushes == self.flushes {
        return move(
          access, Part(destination: first, size: room, value: value & Self.mask(room)),
          Part(destination: second, size: size - room, value: value >> shift))
      }
      // The vCPU was outside, or tables changed: the lower page may be elsewhere.
      if !mmu.isCurrent(context) { enter() }
      first = destination(of: gva, for: access, &exits)
    }
    exits[.error] += 1
    return AccessReport(.failed(.livelock(report(of: first).gpa ?? GPA(0))))
  }

  /// Moves the bytes of both pages: those in memory while the vCPU is inside, then those of devices, each
  /// time the lower first.
  @inlinable
  mutating func move(
    _ access: Guest.Access, _ low: Part, _ high: Part
  ) -> AccessReport<Guest.Fault> {
    var report = report(of: low.destination)
    report.outcome =
      watch == nil ? transfer(access, low, high) : watchedTransfer(access, low, high)
    guard case .done(var value) = report.outcome else { return report }
    if low.hpa == nil, let gpa = low.gpa {
      let answer = answer(access, low.size, low.value, at: gpa)
      report.mmio = answer
      value |= answer.value
    }
    if high.hpa == nil, let gpa = high.gpa {
      let answer = answer(access, high.size, high.value, at: gpa)
      report.mmio = report.mmio ?? answer
      value |= answer.value << UInt128(low.size * 8)
    }
    report.outcome = .done(value)
    return report
  }

  /// Moves the bytes that are in memory, then lets the MMU hear of the writes that it tracks: to do so
  /// the vCPU leaves, and whoever waits for that may go on.
  @inlinable
  mutating func transfer(
    _ access: Guest.Access, _ low: Part, _ high: Part?
  ) -> AccessReport<Guest.Fault>.Outcome {
    let outcome = moveBytes(access, low, high)
    if case .done = outcome { tell(access, low, high) }
    return outcome
  }

  @inlinable
  func moveBytes(
    _ access: Guest.Access, _ low: Part, _ high: Part?
  ) -> AccessReport<Guest.Fault>.Outcome {
    var value: UInt128 = 0
    if let hpa = low.hpa {
      guard let moved = move(access, low.size, low.value, at: hpa) else {
        return .failed(.unbacked(GFN(hpa.frame.rawValue)))
      }
      value = moved
    }
    if let high, let hpa = high.hpa {
      guard let moved = move(access, high.size, high.value, at: hpa) else {
        return .failed(.unbacked(GFN(hpa.frame.rawValue)))
      }
      value |= moved << UInt128(low.size * 8)
    }
    return .done(value)
  }

  @inlinable
  mutating func tell(_ access: Guest.Access, _ low: Part, _ high: Part?) {
    guard access.kind == .write else { return }
    tell(low)
    if let high { tell(high) }
  }

  @inlinable
  mutating func tell(_ part: Part) {
    guard part.isTracked, let gpa = part.gpa else { return }
    mmu.memoryWritten(gpa, byteCount: part.size, on: &context, observer)
  }
}
