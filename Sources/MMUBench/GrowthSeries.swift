public import Report

/// How one cost changes while something grows: a benchmark for each size.
public struct GrowthSeries {
  /// What the second axis shows.
  enum Quantity {
    case nanoseconds
    /// Of as many vCPUs as there are threads. **Units** millions a second.
    case perSecond
  }

  /// One measured size.
  public struct Point: Sendable {
    /// The series.
    public let series: String
    /// What has grown, such as `mapped pages`, and how far.
    public let axis: String
    /// See `axis`.
    public let size: Int
    /// The figure.
    public let result: BenchmarkResult
  }

  let name: String
  let title: String
  let axis: String
  let quantity: Quantity
  let benchmarks: [(size: Int, benchmark: PairBenchmark)]

  /// How many pages fault in one round.
  private static var sample: Int { 1000 }

  /// Every series, in the order of the charts.
  static var all: [GrowthSeries] {
    [
      GrowthSeries(
        name: "fault.shadow.pages", title: "A shadow fault, by pages that are mapped",
        axis: "mapped pages", quantity: .nanoseconds,
        benchmarks: [1000, 3000, 10_000, 30_000, 100_000, 300_000, 1_000_000].map { pages in
          (pages, .shadowFault("fault.shadow", of: sample, among: pages))
        }),
      GrowthSeries(
        name: "fault.shadow.slots", title: "A shadow fault, by memslots that share 20,000 pages",
        axis: "memslots", quantity: .nanoseconds,
        benchmarks: [1, 10, 100, 1000, 10_000].map { slots in
          (slots, .shadowFault("fault.shadow", of: sample, among: 20_000, slots: slots))
        }),
      GrowthSeries(
        name: "fault.tdp.threads", title: "Faults of the second level, by threads",
        axis: "threads", quantity: .perSecond,
        benchmarks: [1, 2, 4].map { ($0, .parallelFaults(threads: $0)) }),
    ]
  }

  /// Measures every series.
  ///
  /// - Parameter emit: called with each point as it is known.
  /// - Throws: `BenchmarkError` as `BenchmarkRunner.run` does.
  /// - Returns: a chart for each series.
  public static func run(
    rounds: Int, emit: (Point) -> Void
  ) throws(BenchmarkError) -> [LineChart] {
    var charts: [LineChart] = []
    for series in all {
      var points: [Point] = []
      for (size, benchmark) in series.benchmarks {
        let result = try benchmark.measure(rounds: max(rounds, BenchmarkRunner.minimumRounds))
        let point = Point(series: series.name, axis: series.axis, size: size, result: result)
        emit(point)
        points.append(point)
      }
      charts.append(series.chart(points))
    }
    return charts
  }

  private func chart(_ points: [Point]) -> LineChart {
    func line(_ name: String, _ time: (BenchmarkResult) -> Double) -> LineChart.Line {
      LineChart.Line(
        name: name,
        points: points.map { point in
          let time = time(point.result)
          return (Double(point.size), quantity == .nanoseconds ? time : 1000 / time)
        })
    }
    let baseline = points.first?.result.baseline == "c" ? "C twin" : "one thread, at the same time"
    return LineChart(
      title: title, xLabel: axis,
      yLabel: quantity == .nanoseconds ? "ns a fault" : "million faults a second",
      lines: [
        line("swift-mmu") { $0.nanoseconds }, line(baseline) { $0.baselineNanoseconds },
      ])
  }
}

extension GrowthSeries.Point {
  /// One JSON object.
  public var json: JSONLine {
    var line = JSONLine()
    line.add("series", series)
    line.add("axis", axis)
    line.add("size", size)
    line.add("ns", hundredths: result.nanoseconds)
    line.add("baseline", result.baseline)
    line.add("baselineNs", hundredths: result.baselineNanoseconds)
    line.add("rounds", result.rounds)
    return line
  }
}

extension JSONLine {
  fileprivate mutating func add(_ key: String, hundredths value: Double) {
    add(key, (value * 100).rounded() / 100)
  }
}
