/// Lines through measured points as SVG: the first axis by powers, the second from 0 up.
public struct LineChart: Sendable {
  /// A line and its points, ascending.
  public struct Line: Sendable {
    /// In the legend.
    public var name: String
    /// Above 0 on the first axis, from 0 on the second; others are left out.
    public private(set) var points: [(x: Double, y: Double)]

    /// A line.
    public init(name: String, points: [(x: Double, y: Double)]) {
      self.name = name
      self.points = points.filter { $0.x > 0 && $0.x < 1e15 && $0.y >= 0 && $0.y < 1e15 }
    }
  }

  private let title: String
  private let xLabel: String
  private let yLabel: String
  private let lines: [Line]

  /// A chart.
  ///
  /// - Parameters:
  ///   - xLabel: what the first axis counts.
  ///   - yLabel: the unit of the second.
  public init(title: String, xLabel: String, yLabel: String, lines: [Line]) {
    self.title = title
    self.xLabel = xLabel
    self.yLabel = yLabel
    self.lines = lines
  }

  /// **Units** points of SVG.
  public static let width = 760.0
  /// **Units** points of SVG.
  public static let height = 330.0
  private static let left = 64.0
  private static let right = 740.0
  private static let top = 64.0
  private static let bottom = 270.0

  /// The drawing.
  public var svg: String { Self.drawing(of: [self]) }

  /// Charts one below the other, in one drawing.
  public static func drawing(of charts: [LineChart]) -> String {
    let tall = (height * Double(charts.count)).svg
    let parts = charts.enumerated().map { number, chart in
      #"<g transform="translate(0 \#((height * Double(number)).svg))">"# + chart.parts + "</g>"
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width.svg) \(tall)" \
      font-family="sans-serif" font-size="12" fill="#222" role="img">
      <rect width="\(width.svg)" height="\(tall)" fill="#fff"/>
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  private var parts: String {
    let all = lines.flatMap(\.points)
    let xs = Set(all.map(\.x)).sorted()
    let ceiling = Self.roundedCeiling(all.map(\.y).max() ?? 0)
    var parts = [
      Self.text(title, Self.left, 20, #" font-size="14" font-weight="bold""#),
      Self.text(yLabel, 12, Self.top - 13, ""),
      Self.text(
        xLabel, (Self.left + Self.right) / 2, Self.bottom + 42, #" text-anchor="middle""#),
    ]
    for tick in 0...4 {
      let value = ceiling * Double(tick) / 4
      let y = Self.bottom - Double(tick) / 4 * (Self.bottom - Self.top)
      parts.append(
        #"<path d="M\#(Self.left.svg) \#(y.svg)H\#(Self.right.svg)" stroke="lightgray"/>"#)
      parts.append(Self.text(value.svg, Self.left - 8, y + 4, #" text-anchor="end""#))
    }
    for x in xs {
      let place = Self.place(x, in: xs).svg
      parts.append(
        #"<path d="M\#(place) \#(Self.bottom.svg)v5" stroke="gray"/>"#
          + #"<text x="\#(place)" y="\#((Self.bottom + 20).svg)" text-anchor="middle">"#
          + "\(Self.grouped(x))</text>")
    }
    for (number, line) in lines.enumerated() {
      parts.append(drawing(of: line, number, xs, ceiling))
    }
    return parts.joined(separator: "\n")
  }

  private func drawing(
    of line: Line, _ number: Int, _ xs: [Double], _ ceiling: Double
  ) -> String {
    let colour = ChartColours.colour(number)
    let places = line.points.map { point in
      (
        x: Self.place(point.x, in: xs).svg,
        y: (Self.bottom - point.y / ceiling * (Self.bottom - Self.top)).svg
      )
    }
    let path = places.map { "\($0.x) \($0.y)" }.joined(separator: "L")
    var parts = [
      #"<path d="M\#(path)" fill="none" stroke="\#(colour)" stroke-width="2"/>"#,
      Self.legend(line.name, number, before: lines.prefix(number).map(\.name), colour),
    ]
    if places.isEmpty { parts.removeFirst() }
    for (place, point) in zip(places, line.points) {
      parts.append(
        #"<circle cx="\#(place.x)" cy="\#(place.y)" r="4" fill="\#(colour)"><title>"#
          + "\(line.name.escapedForHTML), \(Self.grouped(point.x)): \(point.y.svg)"
          + "</title></circle>")
    }
    return parts.joined(separator: "\n")
  }

  private static func legend(
    _ name: String, _ number: Int, before: [String], _ colour: String
  ) -> String {
    let x = before.reduce(left) { $0 + 40 + Double($1.count) * 7 }
    return #"<rect x="\#(x.svg)" y="30" width="14" height="12" fill="\#(colour)"/>"#
      + text(name, x + 20, 40, "")
  }

  private static func text(
    _ words: String, _ x: Double, _ y: Double, _ attributes: String
  ) -> String {
    #"<text x="\#(x.svg)" y="\#(y.svg)"\#(attributes)>\#(words.escapedForHTML)</text>"#
  }

  /// Where a value is on the first axis: as far as its share of the powers.
  private static func place(_ x: Double, in xs: [Double]) -> Double {
    guard let first = xs.first, let last = xs.last, first > 0, last > first else {
      return (left + right) / 2
    }
    return left + 24 + log2(x / first) / log2(last / first) * (right - left - 48)
  }

  /// The base-2 logarithm to the precision of a drawing; the standard library alone has none.
  private static func log2(_ value: Double) -> Double {
    guard value > 0, value.isFinite else { return 0 }
    var fraction = value.significand
    var result = Double(value.exponent)
    var weight = 0.5
    for _ in 0..<20 {
      fraction *= fraction
      if fraction >= 2 {
        fraction /= 2
        result += weight
      }
      weight /= 2
    }
    return result
  }

  /// A whole number with its thousands apart.
  private static func grouped(_ value: Double) -> String {
    let digits = String(Int(value))
    var result = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { result += "\u{202F}" }
      result.append(digit)
    }
    return result
  }

  /// The smallest of 1, 2, 4, 5, 8 and 10 times a power of ten that is not below a value.
  private static func roundedCeiling(_ value: Double) -> Double {
    guard value.isFinite, value > 0 else { return 1 }
    var scale = 1.0
    while scale < value { scale *= 10 }
    while scale / 10 >= value { scale /= 10 }
    for share in [0.2, 0.4, 0.5, 0.8] where scale * share >= value { return scale * share }
    return scale
  }
}
