public import Report

/// The same guest steps on several MMUs, and what the entries of each cannot say.
public struct EncoderBakeoff {
  /// One MMU.
  public struct Entrant {
    /// Its encoder's name.
    public let name: String
    /// What its entries can say.
    public let abilities: EncoderAbilities
    /// How the steps went, or why they cannot be run on it.
    public fileprivate(set) var outcome: Outcome
  }

  /// How the steps went.
  public enum Outcome {
    /// The totals, and the steps in which the guest saw something else than on the first that ran.
    case ran(ScenarioComparison.Side, differing: [Int])
    /// The machine cannot be composed.
    case refused(String)
  }

  /// In the order that was asked for.
  public private(set) var entrants: [Entrant] = []
  private var first: [StepResult]?

  /// Nobody yet.
  public init() {}

  /// Runs a scenario on one more MMU.
  ///
  /// - Parameters:
  ///   - runner: the scenario with that MMU; `refused` says why there is none.
  ///   - again: the same once more: the shorter time counts, since a first run also pays for code and
  ///     memory that nobody has touched before.
  public mutating func add(
    _ name: String, _ abilities: EncoderAbilities, _ runner: ScenarioRunner, again: ScenarioRunner
  ) {
    var (results, side) = ScenarioComparison.run(runner)
    side.keepShorterTime(of: ScenarioComparison.run(again).1)
    let reference = first ?? results
    if first == nil { first = results }
    let differing = zip(reference, results).filter { $0.seenByGuest != $1.seenByGuest }
    entrants.append(
      Entrant(
        name: name, abilities: abilities, outcome: .ran(side, differing: differing.map(\.1.number)))
    )
  }

  /// Notes why a scenario cannot be run on an MMU.
  public mutating func add(_ name: String, _ abilities: EncoderAbilities, refused reason: String) {
    entrants.append(Entrant(name: name, abilities: abilities, outcome: .refused(reason)))
  }
}

extension EncoderBakeoff {
  /// An object for each MMU.
  public var json: [JSONLine] {
    entrants.map { entrant in
      var line = JSONLine()
      line.add("encoder", entrant.name)
      switch entrant.outcome {
      case .ran(let side, let differing):
        side.add(to: &line)
        line.add("differing", differing.count)
      case .refused(let reason): line.add("refused", reason)
      }
      var abilities = JSONLine()
      for ability in entrant.abilities.all { abilities.add(ability.name, ability.value) }
      line.add("abilities", abilities)
      return line
    }
  }

  /// The table for people: what the steps cost, then what entries can say.
  public var lines: [String] {
    let width = 12
    func row(_ name: String, _ value: (Entrant) -> String) -> String {
      name.padded(to: 32) + entrants.map { value($0).leftPadded(to: width) }.joined()
    }
    var lines = [row("", \.name)]
    for (name, value) in ScenarioComparison.Side.rows {
      lines.append(
        row(name) { if case .ran(let side, _) = $0.outcome { "\(value(side))" } else { "–" } })
    }
    lines.append(
      row("steps that differ for the guest") {
        if case .ran(_, let differing) = $0.outcome { "\(differing.count)" } else { "–" }
      })
    lines.append("")
    let names = entrants.first?.abilities.all.map(\.name) ?? []
    for (index, name) in names.enumerated() {
      lines.append(row(name) { $0.abilities.all[index].value })
    }
    lines.append("")
    for entrant in entrants {
      if case .refused(let reason) = entrant.outcome {
        lines.append("\(entrant.name) cannot run these steps: \(reason)")
      }
      let missing = entrant.abilities.all.filter { !$0.isThere }.map(\.name)
      if !missing.isEmpty {
        lines.append("\(entrant.name) cannot say: \(missing.joined(separator: ", "))")
      }
    }
    return lines
  }
}
