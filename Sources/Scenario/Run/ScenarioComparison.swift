import Paging
public import Report

/// Two runs of the same guest steps on two compositions, side by side.
public struct ScenarioComparison {
  /// One step of both runs.
  public struct StepPair {
    /// What it came to on either.
    public let a, b: StepResult
    /// Whether the guest saw the same.
    public var isSame: Bool { a.seenByGuest == b.seenByGuest }
  }

  /// One of the two runs.
  public struct Side {
    /// One line that says what the machine is.
    public let machine: String
    /// The totals.
    public let summary: RunSummary
    /// How long the steps took.
    public private(set) var duration: Duration

    init(machine: String, summary: RunSummary, duration: Duration) {
      self.machine = machine
      self.summary = summary
      self.duration = duration
    }

    /// Takes the shorter of two runs' times.
    mutating func keepShorterTime(of other: Side) { duration = min(duration, other.duration) }
  }

  /// The two runs.
  public private(set) var a, b: Side
  /// Step by step.
  public let steps: [StepPair]

  /// Runs two scenarios.
  ///
  /// - Throws: `ScenarioError`: their steps are not the same; the line is the second's.
  public init(_ first: ScenarioRunner, _ second: ScenarioRunner) throws(ScenarioError) {
    let (left, right) = (first.scenario.steps, second.scenario.steps)
    for (mine, other) in zip(left, right) where mine.action.words != other.action.words {
      throw ScenarioError(
        line: other.line, "the step is '\(other.action.words)', the other's '\(mine.action.words)'")
    }
    guard left.count == right.count else {
      throw ScenarioError(
        line: right.last?.line, "\(right.count) steps, the other has \(left.count)")
    }
    let (resultsA, a) = Self.run(first)
    let (resultsB, b) = Self.run(second)
    (self.a, self.b) = (a, b)
    steps = zip(resultsA, resultsB).map { StepPair(a: $0, b: $1) }
  }

  /// Takes the shorter times of two comparisons of the same scenarios: a first run also pays for code
  /// and memory that nobody has touched before.
  public mutating func keepShorterTimes(of other: ScenarioComparison) {
    a.keepShorterTime(of: other.a)
    b.keepShorterTime(of: other.b)
  }

  /// Steps in which the guest saw something else.
  public var differing: Int { steps.reduce(0) { $0 + ($1.isSame ? 0 : 1) } }

  static func run(_ runner: ScenarioRunner) -> ([StepResult], Side) {
    var results: [StepResult] = []
    runner.recordsWalks = false
    var summary = RunSummary()
    let duration = ContinuousClock().measure {
      summary = runner.run { results.append($0) }
    }
    var machine = runner.machineSummary
    if !runner.pluginNames.isEmpty {
      machine += ", with " + runner.pluginNames.joined(separator: ", ")
    }
    return (results, Side(machine: machine, summary: summary, duration: duration))
  }
}

extension ScenarioComparison {
  /// The comparison as JSON Lines: a line for each step, then the totals.
  public var json: [JSONLine] {
    steps.map { pair in
      var line = JSONLine()
      line.add("step", pair.a.number)
      line.add("do", pair.a.step.action.name)
      line.add("same", pair.isSame)
      line.add("a", pair.a.comparisonJSON)
      line.add("b", pair.b.comparisonJSON)
      return line
    } + [totals]
  }

  private var totals: JSONLine {
    var inner = JSONLine()
    inner.add("steps", steps.count)
    inner.add("differing", differing)
    for (name, side) in [("a", a), ("b", b)] {
      var line = JSONLine()
      side.add(to: &line)
      inner.add(name, line)
    }
    var line = JSONLine()
    line.add("summary", inner)
    return line
  }

  /// The comparison for people; where the guest saw something else the step is marked by `≠`.
  public var lines: [String] {
    var lines = ["A  \(a.machine)", "B  \(b.machine)", "", "step  exits A  exits B"]
    for pair in steps {
      let counts = [pair.a, pair.b].map { String($0.exitCount).leftPadded(to: 7) }
      lines.append(
        "\(String(pair.a.number).leftPadded(to: 4))  \(counts[0])  \(counts[1])  \(pair.a.headline)"
      )
      if !pair.isSame {
        lines.append("   ≠  A: \(pair.a.seenByGuest)")
        lines.append("      B: \(pair.b.seenByGuest)")
      }
    }
    lines.append("")
    for (name, value) in Side.rows {
      let values = [a, b].map { String(value($0)).leftPadded(to: 12) }
      lines.append(name.padded(to: 20) + values.joined())
    }
    lines.append("\(steps.count) steps, \(differing) of them differ for the guest")
    return lines
  }
}

extension ScenarioComparison.Side {
  /// Adds the totals to an object.
  func add(to line: inout JSONLine) {
    line.add("machine", machine)
    line.add("exits", StepResult.object(summary.exits))
    line.add("spteInstalls", summary.spteInstalls)
    line.add("tablePages", summary.tablePages)
    line.add("tlbHits", summary.tlbHits)
    line.add("tlbMisses", summary.tlbMisses)
    line.add("nanoseconds", nanoseconds)
  }

  /// The totals that are compared, with the words that stand before them.
  static var rows: [(name: String, value: (Self) -> Int)] {
    [
      ("exits", { $0.summary.exits.reduce(0) { $0 + $1.count } }),
      ("SPTEs installed", { $0.summary.spteInstalls }),
      ("table pages", { $0.summary.tablePages }),
      ("TLB misses", { $0.summary.tlbMisses }),
      ("microseconds", { $0.nanoseconds / 1000 }),
    ]
  }

  /// How long the steps took.
  public var nanoseconds: Int {
    let (seconds, attoseconds) = duration.components
    return Int(clamping: seconds) * 1_000_000_000 + Int(clamping: attoseconds / 1_000_000_000)
  }
}

extension StepResult {
  /// What the guest knows of the step, in words.
  var seenByGuest: String {
    if let problem { return problem }
    var words = outcomeInWords
    if isDone, case .access(let access) = step.action, access.kind != .write {
      words = bytes.count <= 16 ? "0x" + String(value, radix: 16) : bytes.hexDigits
    }
    if let completed { words += ", \(completed) went through" }
    return words + (mmio == nil ? "" : ", MMIO")
  }

  var exitCount: Int { exits.reduce(0) { $0 + $1.count } }

  var comparisonJSON: JSONLine {
    var line = JSONLine()
    line.add("ok", isDone)
    line.add("outcome", seenByGuest)
    line.add("exits", Self.object(exits))
    return line
  }
}

extension Action {
  /// The step, in words: what two scenarios' steps are compared by.
  var words: String {
    StepResult(number: 0, step: Step(line: 0, action: self, expectation: nil)).headline
  }
}
