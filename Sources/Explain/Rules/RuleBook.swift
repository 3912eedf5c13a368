import Paging
import X86
import X86Guest

/// The rules of the manual, each judged for one access from the entries that its walk read.
struct RuleBook {
  let situation: AccessSituation
  let regime: X86Regime
  let linear: GVA
  let entries: [ExplainedEntry]
  let outcome: Explanation.Outcome

  init(
    _ situation: AccessSituation, _ regime: X86Regime, linear: GVA, _ entries: [ExplainedEntry],
    _ outcome: Explanation.Outcome
  ) {
    self.situation = situation
    self.regime = regime
    self.linear = linear
    self.entries = entries
    self.outcome = outcome
  }

  var access: X86Access { situation.access }
  var controls: X86Controls { regime.controls }
  var isLong: Bool { regime.mode == .long4 || regime.mode == .long5 }
  /// **Units** bits of a linear address in a long mode.
  var linearWidth: Int { regime.mode == .long5 ? 57 : 48 }
  var hasPaging: Bool { regime.mode != .none }

  /// All rules, in the order in which the processor asks.
  var rules: [AccessRule] {
    guard hasPaging else { return [paging] }
    return [paging] + addressRules + entryRules + rightsRules
  }

  /// The leaf, where the walk arrived at one.
  var leaf: ExplainedEntry? {
    guard let last = entries.last, last.kind == .leaf else { return nil }
    return last
  }

  /// The entries that grant or take rights.
  var granting: [ExplainedEntry] { entries.filter(\.hasRights) }
  /// Whether every entry has U/S=1.
  var isUserPage: Bool { granting.allSatisfy(\.isUser) }

  private var paging: AccessRule {
    AccessRule(
      "Paging (CR0.PG)", source: Self.modes, .passed,
      [.init("CR0.PG", situation.registers.cr0.contains(.paging))],
      hasPaging
        ? "paging is on, in mode \(regime.mode.rawValue)"
        : "paging is off: the address is physical and nothing refuses it")
  }

  /// A rule that has nothing to say.
  static func notAsked(_ name: String, source: String, _ words: String) -> AccessRule {
    AccessRule(name, source: source, .notApplicable, [], words)
  }

  static var modes: String { "Intel SDM Vol. 3A, \"Paging Modes and Control Bits\"" }
  static var canonical: String { "Intel SDM Vol. 1, \"Canonical Addressing\"" }
  static var masking: String { "Intel SDM Vol. 3A, \"Linear-Address Masking\"" }
  static var separation: String { "Intel SDM Vol. 3A, \"Linear-Address Space Separation\"" }
  static var hierarchy: String {
    "Intel SDM Vol. 3A, \"Hierarchical Paging Structures: an Overview\""
  }
  static var faults: String { "Intel SDM Vol. 3A, \"Page-Fault Exceptions\"" }
  static var rights: String { "Intel SDM Vol. 3A, \"Determination of Access Rights\"" }
  static var keys: String { "Intel SDM Vol. 3A, \"Protection Keys\"" }
}
