import MMU
import Machine
import Paging
import Scenario
import X86
import X86Guest

extension GuestTrial {
  /// What was known of an access before it was made.
  private struct Situation {
    let access: GuestAccess
    let kind: X86Access
    let guest: X86Processor
    /// What the tables of this moment say.
    let fresh: Difference.Outcome
    let walked: TLBReference.Walked
    /// Translations from before that may still be used, for this very access.
    let usable: [TLBReference.Walked]
    let hasStale: Bool
    /// The bytes at every place that the access may go to.
    let bytes: [GPA: [UInt8]]

    func difference(_ kind: Difference.Kind, _ words: String) -> Difference {
      let who = access.isUser ? "user " : ""
      let allowed = Set([fresh] + usable.compactMap(\.gpa).map { .done($0.joined(access.gva)) })
      return Difference(
        kind: kind,
        description: "\(who)\(access.kind) at \(GVA(access.gva)) on vCPU \(access.vcpu): \(words)",
        allowed: allowed.sorted { $0.yaml < $1.yaml })
    }
  }

  /// An access, wherever it leads: outcome, error code, data, A and D are among those allowed.
  mutating func perform(_ access: GuestAccess) throws(Difference) {
    let situation = situation(of: access)
    let length = UInt64(access.size)
    let isWrite = access.kind == .write
    let targets = isWrite ? situation.bytes.keys.map { $0.rawValue..<$0.rawValue + length } : []
    let concerned = reference.concerned(by: targets, guests, memory)
    let report = machine.access(
      access.vcpu, situation.kind, at: GVA(access.gva), size: access.size, value: access.value)
    switch report.outcome {
    case .done(let read):
      granted += 1
      guard let gpa = report.gpa else { throw situation.difference(.outcome, "no GPA") }
      let isFresh = situation.fresh == .done(gpa)
      guard isFresh || situation.usable.contains(where: { $0.gpa?.joined(access.gva) == gpa })
      else { throw situation.difference(.outcome, "went to \(gpa), not \(situation.fresh)") }
      if !isFresh { staleUses += 1 }
      try checkFindings(situation, isFresh: isFresh)
      try checkData(situation, gpa, read, isMMIO: report.mmio != nil)
      if isFresh { try checkMarks(situation, gpa) }
    case .fault(let fault): try refuse(situation, fault.vector, fault.errorCode.rawValue)
    case .injected(let vector, let code): try refuse(situation, vector, code)
    case .reflected(let exit): throw situation.difference(.outcome, "\(exit)")
    case .failed(let error): throw situation.difference(.outcome, "\(error)")
    }
    reference.note(concerned, guests, memory, writer: (access.vcpu, access.gva & ~0xFFF))
  }

  private func situation(of access: GuestAccess) -> Situation {
    let guest = machine.processor(access.vcpu)
    let kind = X86Access(
      access.kind, user: access.isUser, alignmentCheck: access.alignmentCheck)
    let fresh: Difference.Outcome
    switch guest.translate(GVA(access.gva), for: kind, in: memory.view, Judge()) {
    case .success(let found): fresh = .done(found.address)
    case .failure(.fault(let fault)):
      fresh = .fault(vector: fault.vector, errorCode: fault.errorCode.rawValue)
    case .failure(.unreadable(_, _, let level)):
      let fault = guest.faultForUnreadableTable(GVA(access.gva), for: kind, at: level)
      fresh = .fault(vector: fault.vector, errorCode: fault.errorCode.rawValue)
    case .failure(.contended): preconditionFailure("a walk that marks nothing loses no race")
    }
    let walked = TLBReference.walk(access.gva, guest, memory)
    let stale = reference.stale(access.vcpu, access.gva)
    let usable = stale.filter { old in
      guard let rights = old.rights, let tables = old.tableRights else { return false }
      return guest.permits(kind, rights: rights, tables: tables, leaf: old.leaf)
        && (access.kind != .write || old.leaf & 0x40 != 0)
    }
    let places = Set(([walked] + stale).compactMap { $0.gpa?.joined(access.gva) })
    return Situation(
      access: access, kind: kind, guest: guest, fresh: fresh, walked: walked, usable: usable,
      hasStale: !stale.isEmpty,
      bytes: Dictionary(
        uniqueKeysWithValues: places.map { ($0, memory.view.read($0, count: access.size)) }))
  }

  private func checkData(
    _ situation: Situation, _ gpa: GPA, _ read: UInt128, isMMIO: Bool
  ) throws(Difference) {
    if (memory.hpa(of: gpa) != nil) == isMMIO {
      throw situation.difference(.outcome, "MMIO \(isMMIO) at \(gpa)")
    }
    if isMMIO { return }
    let access = situation.access
    if access.kind == .write {
      if memory.view.read(gpa, count: access.size).number != access.value {
        throw situation.difference(.data, "the write did not land at \(gpa)")
      }
      return
    }
    guard let was = situation.bytes[gpa]?.number else { return }
    // An access may mark the very entry that it reads.
    let marks: UInt128 = 0x60_0000_0060
    if (read ^ was) & ~(marks | marks << 64) != 0 {
      var difference = situation.difference(.data, "read \(UInt64(truncatingIfNeeded: read).hex)")
      difference.value = was
      throw difference
    }
  }

  /// Where an older translation served the machine says so; and the MMU has forgotten none.
  private func checkFindings(_ situation: Situation, isFresh: Bool) throws(Difference) {
    guard let findings = machine.ledger?.take().findings else { return }
    if let forgotten = findings.first(where: { $0.verdict == .mmu }) {
      throw situation.difference(.stale, "\(forgotten)")
    }
    if !isFresh, findings.isEmpty {
      throw situation.difference(.stale, "a stale translation was not told")
    }
    if isFresh, !situation.hasStale, let finding = findings.first {
      throw situation.difference(.stale, "nothing is stale, but \(finding)")
    }
  }

  /// A is set all the way, D in the leaf of a write; unless an older translation served, which needs
  /// none, or the write hit the very entries that lead to it.
  private func checkMarks(_ situation: Situation, _ gpa: GPA) throws(Difference) {
    let access = situation.access
    let end = gpa.rawValue + UInt64(access.size)
    let isWrite = access.kind == .write
    let isOverwritten =
      isWrite
      && situation.walked.steps.contains {
        $0.entryAddress + 8 > gpa.rawValue && $0.entryAddress < end
      }
    if situation.hasStale || isOverwritten { return }
    for step in TLBReference.walk(access.gva, situation.guest, memory).steps {
      let wanted: UInt64 = step.kind == .leaf && isWrite ? 0x60 : 0x20
      if step.entry & wanted != wanted {
        throw situation.difference(.marks, "marks are missing at level \(step.level)")
      }
    }
  }

  private mutating func refuse(
    _ situation: Situation, _ vector: UInt8, _ code: UInt32
  ) throws(Difference) {
    refused += 1
    let outcome = Difference.Outcome.fault(vector: vector, errorCode: code)
    guard outcome == situation.fresh else {
      throw situation.difference(.outcome, "\(outcome), not \(situation.fresh)")
    }
    let after = TLBReference.walk(situation.access.gva, situation.guest, memory)
    if after != situation.walked {
      throw situation.difference(.marks, "a refused access left marks")
    }
  }
}

extension GPA {
  /// The same page, at an address's offset in it.
  fileprivate func joined(_ gva: UInt64) -> GPA {
    roundedDown(to: .size4KiB).wrappingAdd(gva & 0xFFF)
  }
}

extension [UInt8] {
  /// The bytes as a little-endian number.
  var number: UInt128 { reversed().reduce(0) { $0 << 8 | UInt128($1) } }
}
