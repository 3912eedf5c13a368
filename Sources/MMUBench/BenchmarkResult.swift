import Report

/// One figure of the benchmark table.
public struct BenchmarkResult: Sendable, Hashable {
  /// What was timed, such as `walk.checked.random`.
  public let name: String
  /// The median. **Units** nanoseconds per operation.
  public let nanoseconds: Double
  /// What it is compared with: `c`, or `loads` for four dependent loads and nothing else.
  public let baseline: String
  /// The baseline's median. **Units** nanoseconds per operation.
  public let baselineNanoseconds: Double
  /// How often each side ran.
  public let rounds: Int
  /// The quartiles of the rounds' own ratios: how noisy the figure is.
  public let ratioQuartiles: ClosedRange<Double>

  /// The program's median divided by the baseline's.
  public var ratio: Double { nanoseconds / baselineNanoseconds }

  init(name: String, baseline: String, times: [Double], baselineTimes: [Double]) {
    self.name = name
    self.baseline = baseline
    nanoseconds = Self.quantile(times, 0.5)
    baselineNanoseconds = Self.quantile(baselineTimes, 0.5)
    rounds = times.count
    let ratios = zip(times, baselineTimes).map { $0 / $1 }
    ratioQuartiles = Self.quantile(ratios, 0.25)...Self.quantile(ratios, 0.75)
  }

  /// The value below which a share of the values lies, between neighbours in proportion.
  static func quantile(_ values: [Double], _ share: Double) -> Double {
    let sorted = values.sorted()
    guard let last = sorted.indices.last else { return .nan }
    let position = share * Double(last)
    let below = Int(position)
    let above = min(below + 1, last)
    return sorted[below] + (sorted[above] - sorted[below]) * (position - Double(below))
  }
}

extension BenchmarkResult {
  /// One JSON object, on one line; times in hundredths of a nanosecond, ratios in thousandths.
  public var json: String {
    var line = JSONLine()
    line.add("name", name)
    line.add("ns", Self.rounded(nanoseconds, to: 100))
    line.add("baseline", baseline)
    line.add("baselineNs", Self.rounded(baselineNanoseconds, to: 100))
    line.add("ratio", Self.rounded(ratio, to: 1000))
    line.add("rounds", rounds)
    return line.line
  }

  private static func rounded(_ value: Double, to parts: Double) -> Double {
    (value * parts).rounded() / parts
  }

  /// The table's heading, as wide as its rows.
  public static var tableHeading: String {
    row(["name", "ns", "baseline", "its ns", "ratio", "quartiles"])
  }

  /// One row of the table for people.
  public var tableRow: String {
    let low = Self.decimal(ratioQuartiles.lowerBound, places: 2)
    let high = Self.decimal(ratioQuartiles.upperBound, places: 2)
    return Self.row([
      name, Self.decimal(nanoseconds, places: 2), baseline,
      Self.decimal(baselineNanoseconds, places: 2), Self.decimal(ratio, places: 2),
      "\(low)–\(high)",
    ])
  }

  private static func row(_ cells: [String]) -> String {
    zip(cells, [-28, 11, 19, 11, 9, 14]).reduce(into: "") { line, cell in
      line += cell.1 < 0 ? cell.0.padded(to: -cell.1) : cell.0.leftPadded(to: cell.1)
    }
  }

  /// A number with a fixed count of decimals; the standard library alone has no such form.
  static func decimal(_ value: Double, places: Int) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "null" }
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    let zeros = String(repeating: "0", count: places - fraction.count)
    return (value < 0 ? "-" : "") + "\(scaled / scale).\(zeros)\(fraction)"
  }
}
