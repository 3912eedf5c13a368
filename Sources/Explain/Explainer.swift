public import Paging
import X86
import X86Guest
import X86PAE

/// Tells accesses: walks, judges every rule by itself, and searches for the smallest change.
///
/// The rules are judged from the entries that the walk read and not taken from the walker, so the two
/// check each other; `Explanation.outcome` is the walker's.
public struct Explainer<Memory: EntryMemory> where Memory.Space == GuestPhysical {
  /// What holds the tables.
  public let memory: Memory

  /// Says of a page that cannot be read why.
  let unreadable: (Memory.Failure) -> String

  /// An explainer of accesses to one memory.
  ///
  /// - Parameter unreadable: words that follow "the page that holds the PTE (GPA …)".
  public init(
    _ memory: Memory,
    unreadable: @escaping (Memory.Failure) -> String = { _ in "is not in this file" }
  ) {
    self.memory = memory
    self.unreadable = unreadable
  }

  /// Tells one access.
  ///
  /// - Complexity: one walk, and for a refused access at most some thousands more: single changes of
  ///   the entries read and of the registers are tried first, then pairs.
  public func explain(_ situation: AccessSituation) -> Explanation {
    let told = judge(situation, in: memory)
    guard case .refused = told.outcome else { return told }
    return Explanation(
      situation: told.situation, linearAddress: told.linearAddress, entries: told.entries,
      rules: told.rules, outcome: told.outcome, errorCodeBits: told.errorCodeBits,
      remedies: remedies(for: told))
  }

  /// Walks and judges; searches for no change.
  func judge<Tables: EntryMemory>(
    _ situation: AccessSituation, in memory: Tables
  ) -> Explanation where Tables.Space == GuestPhysical, Tables.Failure == Memory.Failure {
    let regime = situation.regime
    var recording = Recording(Judge())
    let walked = regime.translate(
      situation.address, for: situation.access, in: memory, &recording)
    let linear = regime.linearAddress(of: situation.address, for: situation.access)
    let entries = entries(recording.steps, regime, situation, linear)
    let outcome: Explanation.Outcome =
      switch walked {
      case .success(let translation): .granted(translation)
      case .failure(.fault(let fault)): .refused(fault)
      case .failure(.unreadable(let failure, let entry, let level)):
        .tableUnreadable(
          entry: GPA(entry), name: regime.entryName(at: level), level: level,
          why: unreadable(failure))
      case .failure(.contended): .contended
      }
    let book = RuleBook(situation, regime, linear: linear, entries, outcome)
    let rules = book.rules
    return Explanation(
      situation: situation, linearAddress: linear, entries: entries, rules: rules,
      outcome: outcome, errorCodeBits: book.errorCodeBits(rules), remedies: [])
  }

  private func entries(
    _ steps: [WalkStep], _ regime: X86Regime, _ situation: AccessSituation, _ linear: GVA
  ) -> [ExplainedEntry] {
    func entry(
      _ level: Level, _ place: UInt64, _ value: UInt64, _ kind: EntryKind, isRegister: Bool
    ) -> ExplainedEntry {
      ExplainedEntry(
        level: level, name: regime.entryName(at: level), gpa: GPA(place), value: value, kind: kind,
        isRegister: isRegister, fields: regime.fields(of: value, at: level))
    }
    var entries: [ExplainedEntry] = []
    if case .pae(let pae) = regime {
      let index = linear.rawValue >> 30 & 3
      let value = pae.root[Int(index)]
      entries.append(
        entry(
          .directoryPointer, PDPTERegisters.table(cr3: situation.registers.cr3) &+ index &* 8,
          value, value & 1 == 0 ? .notPresent : .table, isRegister: true))
    }
    return entries
      + steps.map { entry($0.level, $0.entryAddress, $0.entry, $0.kind, isRegister: false) }
  }
}
