import ArgumentParser
import MMUBench
import Report

/// `mmu bench`.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the hot paths against a plain C twin, and prints a table of ratios.",
    discussion: """
      Program and twin take turns in one process, round by round; figures are medians. Build in \
      release mode, as `make bench` does.

      With --plot: how the cost of a fault changes with the pages that are mapped, the memslots and \
      the threads. With --json one object a point: {"series","axis","size","ns","baseline", \
      "baselineNs","rounds"}.

      Examples:
        mmu bench walk.checked.random --rounds 9
        mmu bench --plot growth.html --rounds 9
      """)

  @Argument(help: "Which figures (default: all).")
  var names: [String] = []

  @Option(help: "How many rounds of each.")
  var rounds = 41

  @Flag(help: "Print JSON Lines.")
  var json = false

  @Option(help: "Measure how faults scale instead, and draw it: an HTML page, or SVG as *.svg.")
  var plot: String?

  func validate() throws {
    if plot != nil, !names.isEmpty {
      throw ValidationError("--plot measures series of its own, not figures by name")
    }
    for name in names where !BenchmarkRunner.names.contains(name) {
      throw ValidationError(
        "there is no figure '\(name)' (\(BenchmarkRunner.names.joined(separator: ", ")))")
    }
    guard rounds >= BenchmarkRunner.minimumRounds else {
      throw ValidationError("--rounds is \(rounds) (\(BenchmarkRunner.minimumRounds) or more)")
    }
  }

  func run() throws {
    if let plot { return try draw(to: plot) }
    if !json { print(BenchmarkResult.tableHeading) }
    do {
      try BenchmarkRunner.run(names, rounds: rounds) { reason in
        StandardError.write("mmu: note: no figure for \(reason)")
      } emit: {
        print(json ? $0.json : $0.tableRow)
      }
    } catch {
      throw FileFailure("bench", error)
    }
  }

  private func draw(to path: String) throws {
    // A file that cannot be written is known before minutes are spent.
    try OutputFile.write("", to: path)
    var points: [GrowthSeries.Point] = []
    let charts: [LineChart]
    do {
      charts = try GrowthSeries.run(rounds: rounds) { point in
        points.append(point)
        print(json ? point.json.line : Self.row(point))
      }
    } catch {
      throw FileFailure("bench", error)
    }
    let svg = LineChart.drawing(of: charts)
    try OutputFile.write(path.hasSuffix(".svg") ? svg : Self.page(svg, points), to: path)
  }

  private static func row(_ point: GrowthSeries.Point) -> String {
    "\(point.series), \(point.size) \(point.axis): \(nanoseconds(point.result.nanoseconds)) ns"
      + " (\(point.result.baseline): \(nanoseconds(point.result.baselineNanoseconds)) ns)"
  }

  private static func nanoseconds(_ value: Double) -> String {
    "\((value * 10).rounded() / 10)"
  }

  private static func page(_ svg: String, _ points: [GrowthSeries.Point]) -> String {
    let rows = points.map { point in
      "<tr><td>\(point.series)</td><td>\(point.size)</td><td class=\"words\">\(point.axis)</td>"
        + "<td>\(nanoseconds(point.result.nanoseconds))</td>"
        + "<td class=\"words\">\(point.result.baseline)</td>"
        + "<td>\(nanoseconds(point.result.baselineNanoseconds))</td></tr>"
    }
    return HTMLPage(
      title: "How the cost of a fault grows",
      body: """
        \(svg)
        <table>
        <tr><th>series</th><th>size</th><th class="words">of</th><th>ns</th>
        <th class="words">beside</th><th>its ns</th></tr>
        \(rows.joined(separator: "\n"))
        </table>
        <p class="note">Medians of \(points.first?.result.rounds ?? 0) rounds, both sides in turn.</p>
        """
    ).html
  }
}
