import Paging
import Report

/// A run as one page of HTML: the exits of each step as bars, every step to unfold, the totals.
public struct RunPage {
  private let title: String
  private let machine: [String]
  private var steps: [StepResult] = []

  /// The page of a run to come.
  ///
  /// - Parameter machine: what the machine is, one line each.
  public init(title: String, machine: [String]) {
    self.title = title.isEmpty ? "A guest" : title
    self.machine = machine
  }

  /// Adds a step that was run.
  public mutating func add(_ result: StepResult) { steps.append(result) }

  /// The page, once all steps are there.
  public func html(_ summary: RunSummary) -> String {
    HTMLPage(
      title: title,
      body: """
        <p>\(machine.map(\.escapedForHTML).joined(separator: "<br>"))</p>
        <h2>Exits by step</h2>
        \(chart)
        <h2>Steps</h2>
        \(steps.map(Self.details).joined(separator: "\n"))
        <h2>Totals</h2>
        \(Self.totals(summary))
        """
    ).html
  }

  private var chart: String {
    let causes = ExitCause.allCases.filter { cause in
      steps.contains { $0.exits.contains { $0.cause == cause } }
    }
    guard !causes.isEmpty else { return #"<p class="note">No step exits.</p>"# }
    let bars = steps.map { step in
      StackedBars.Bar(
        label: "\(step.number)", words: "step \(step.number), \(step.headline)",
        counts: causes.map { cause in
          step.exits.first { $0.cause == cause }?.count ?? 0
        })
    }
    return StackedBars(series: causes.map(\.rawValue), bars: bars).svg
  }

  private static func details(_ step: StepResult) -> String {
    let lines = step.lines.dropFirst().map(\.escapedForHTML).joined(separator: "\n")
    let state = step.isPassed ? "" : #" class="failed" open"#
    let count = step.exitCount
    let exits =
      count == 0 ? "" : #" <span class="note">\#(count) exit\#(count == 1 ? "" : "s")</span>"#
    return "<details\(state)><summary>\(step.number). \(step.headline.escapedForHTML)\(exits)"
      + "</summary><pre>\(lines)</pre></details>"
  }

  private static func totals(_ summary: RunSummary) -> String {
    let rows = summary.lines.dropFirst().map { line in
      let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
      let value = words.last?.drop { $0 == " " } ?? ""
      return "<tr><td>\(String(words.first ?? "").escapedForHTML)</td>"
        + #"<td class="words">"# + String(value).escapedForHTML + "</td></tr>"
    }
    return "<table>\(rows.joined(separator: "\n"))</table>"
  }
}
