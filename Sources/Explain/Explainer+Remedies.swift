import Paging
import X86
import X86Guest

extension Explainer {
  /// How many remedies are told.
  static var mostRemedies: Int { 8 }
  /// How many entries, rule after rule, the last resort repairs.
  static var mostRepairs: Int { 10 }

  /// The smallest changes that let a refused access through: singles, else pairs, else what the failed
  /// rules themselves ask for, one after the other.
  func remedies(for told: Explanation) -> [Remedy] {
    let candidates = candidates(for: told)
    var found = candidates.compactMap { remedy([$0], told.situation) }
    if found.isEmpty {
      pairs: for (index, first) in candidates.enumerated() {
        for second in candidates[(index + 1)...] {
          if let remedy = remedy([first, second], told.situation) { found.append(remedy) }
          if found.count >= Self.mostRemedies { break pairs }
        }
      }
    }
    if found.isEmpty, let remedy = repaired(told) { found.append(remedy) }
    return Array(found.prefix(Self.mostRemedies))
  }

  /// What could be otherwise, the leaf's bits first: no address bits, since another frame is another
  /// page.
  private func candidates(for told: Explanation) -> [AccessChange] {
    var candidates: [AccessChange] = []
    let keyFailed = told.rules.contains { $0.source == RuleBook.keys && $0.verdict == .failed }
    for entry in told.entries.reversed() where !entry.isRegister {
      var bits = [0, 1, 2, 6]
      if entry.value >> 63 == 1 { bits.append(63) }
      if keyFailed, entry.kind == .leaf { bits += 59...62 }
      let reserved = told.situation.regime.reservedBits(in: entry.value, at: entry.level)
      bits += (1..<64).filter { reserved >> UInt64($0) & 1 != 0 && !bits.contains($0) }
      // Clearing P never helps.
      if entry.value & 1 == 1 { bits.removeFirst() }
      candidates += bits.map { .entryBit(entry: entry, bit: $0) }
    }
    var registers = AccessChange.RegisterBit.switches
    if let leaf = told.entries.last, leaf.kind == .leaf {
      let bit = 2 * leaf.key
      registers += [.pkru(bit), .pkru(bit + 1), .pkrs(bit), .pkrs(bit + 1)]
    }
    candidates += registers.map { .registerBit($0) }
    for rule in told.rules where rule.verdict == .failed && rule.cause == .nonCanonical {
      candidates += rule.repair
    }
    return candidates
  }

  /// The changes as a remedy, or `nil` where the walk with them made still refuses.
  private func remedy(_ changes: [AccessChange], _ situation: AccessSituation) -> Remedy? {
    var changed = situation
    var overlay = OverlayMemory(memory)
    for change in changes { change.apply(to: &changed, in: &overlay) }
    let outcome = changed.regime.translate(
      changed.address, for: changed.access, in: overlay, Judge())
    guard case .success(let translation) = outcome else { return nil }
    return Remedy(changes: changes, leadsTo: translation.address)
  }

  /// Repairs what the failed rules name until the access goes through or nothing more is named.
  private func repaired(_ told: Explanation) -> Remedy? {
    var changes: [AccessChange] = []
    var current = told
    for _ in 0..<Self.mostRepairs {
      let wanted = current.rules.filter { $0.verdict == .failed }.flatMap(\.repair)
        .filter { !changes.contains($0) }
      if wanted.isEmpty { return nil }
      changes += wanted
      if let remedy = remedy(changes, told.situation) { return remedy }
      var situation = told.situation
      var overlay = OverlayMemory(memory)
      for change in changes { change.apply(to: &situation, in: &overlay) }
      current = judge(situation, in: overlay)
    }
    return nil
  }
}
