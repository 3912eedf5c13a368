import Report
import Testing

@Suite("Line charts")
struct LineChartTests {
  private static func chart(_ points: [(x: Double, y: Double)]) -> LineChart {
    LineChart(
      title: "cost <1>", xLabel: "pages", yLabel: "ns",
      lines: [LineChart.Line(name: "a&b", points: points)])
  }

  @Test("powers are evenly far apart, and heights in proportion")
  func places() {
    let svg = Self.chart([(10, 0), (100, 5), (1000, 10)]).svg
    // 64 + 24 to 740 - 24 across, 270 up to 64.
    for point in [#"cx="88" cy="270""#, #"cx="402" cy="167""#, #"cx="716" cy="64""#] {
      #expect(svg.contains(point), "\(point)")
    }
    #expect(svg.contains("1\u{202F}000</text>"))
    #expect(svg.contains("a&amp;b, 100: 5</title>") && svg.contains("cost &lt;1&gt;"))
  }

  @Test("the axis ends at a round number above all points", arguments: [0.3, 7, 399, 401])
  func ceilings(value: Double) {
    let svg = Self.chart([(1, value)]).svg
    let end = [0.3: "0.4", 7: "8", 399: "400", 401: "500"][value] ?? ""
    #expect(svg.contains(#"text-anchor="end">\#(end)</text>"#))
  }

  @Test("no lines, no points and points that are none make a drawing")
  func extremes() {
    for chart in [
      LineChart(title: "", xLabel: "", yLabel: "", lines: []), Self.chart([]),
      Self.chart([(0, 0), (0, 0)]), Self.chart([(1, .nan)]), Self.chart([(.infinity, .infinity)]),
    ] {
      let svg = chart.svg
      #expect(svg.hasSuffix("</svg>"))
      #expect(!svg.contains("nan") && !svg.contains("inf"))
    }
  }
}
