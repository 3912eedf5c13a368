/// A bar chart as SVG: a bar for each place, a colour for each series, counts up.
public struct StackedBars: Sendable {
  /// What a bar is about, and how much of each series it holds.
  public struct Bar: Sendable {
    /// Under the bar.
    public var label: String
    /// Shown while the pointer is on the bar.
    public var words: String
    /// A count for each series.
    public var counts: [Int]

    /// A bar.
    public init(label: String, words: String, counts: [Int]) {
      self.label = label
      self.words = words
      self.counts = counts
    }
  }

  private let series: [String]
  private let bars: [Bar]

  /// A chart; each bar has a count for each series.
  public init(series: [String], bars: [Bar]) {
    self.series = series
    self.bars = bars
  }

  private static let width = 1200.0
  private static let left = 70.0
  private static let top = 44.0
  private static let height = 200.0

  /// The drawing.
  public var svg: String {
    let totals = bars.map { $0.counts.reduce(0, +) }
    let ceiling = Self.roundedCeiling(totals.max() ?? 0)
    let step = (Self.width - Self.left - 16) / Double(max(bars.count, 1))
    let barWidth = min(step * 0.8, 60)
    let bottom = Self.top + Self.height
    var parts: [String] = []
    for tick in 0...4 {
      let value = ceiling * tick / 4
      guard tick == 0 || value != ceiling * (tick - 1) / 4 else { continue }
      let y = bottom - Double(value) / Double(ceiling) * Self.height
      parts.append(
        #"<path d="M\#(Self.left.svg) \#(y.svg)H\#((Self.width - 16).svg)" stroke="lightgray"/>"#
          + #"<text x="\#((Self.left - 8).svg)" y="\#((y + 4).svg)" text-anchor="end">\#(value)</text>"#
      )
    }
    // As many labels as have room.
    let every = max(1, Int((34 / step).rounded(.up)))
    for (index, bar) in bars.enumerated() {
      let x = Self.left + (Double(index) + 0.5) * step
      var y = bottom
      for (number, count) in bar.counts.enumerated() where count > 0 {
        let tall = Double(count) / Double(ceiling) * Self.height
        y -= tall
        let colour = ChartColours.colour(number)
        parts.append(
          #"<rect x="\#((x - barWidth / 2).svg)" y="\#(y.svg)" width="\#(barWidth.svg)""#
            + #" height="\#(tall.svg)" fill="\#(colour)"><title>\#(bar.words.escapedForHTML):"#
            + " \(count) × \(series[number].escapedForHTML)</title></rect>")
      }
      if index % every == 0 {
        parts.append(
          #"<text x="\#(x.svg)" y="\#((bottom + 16).svg)" text-anchor="middle">"#
            + "\(bar.label.escapedForHTML)</text>")
      }
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width.svg) \((bottom + 28).svg)" \
      font-family="sans-serif" font-size="12" fill="#222" role="img">
      <rect width="\(Self.width.svg)" height="\((bottom + 28).svg)" fill="#fff"/>
      \(legend)
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  private var legend: String {
    var x = Self.left
    return series.enumerated().map { number, name in
      defer { x += 34 + Double(name.count) * 7 }
      return #"<rect x="\#(x.svg)" y="12" width="14" height="12" fill=""#
        + ChartColours.colour(number)
        + #""/><text x="\#((x + 20).svg)" y="22">\#(name.escapedForHTML)</text>"#
    }.joined(separator: "\n")
  }

  /// The smallest of 4, 8, 20, 40, 80, 200… that is not below a count, so that a quarter is whole.
  private static func roundedCeiling(_ count: Int) -> Int {
    var scale = 4
    while scale < count {
      for factor in [2, 5] where scale * factor >= count { return scale * factor }
      scale *= 10
    }
    return scale
  }
}
