import Foundation
import Report
import Testing

@Suite("Bars")
struct StackedBarsTests {
  private static func bars(_ counts: [[Int]]) -> String {
    StackedBars(
      series: ["a", "<b>"],
      bars: counts.enumerated().map {
        StackedBars.Bar(label: "\($0.offset)", words: "step \($0.offset)", counts: $0.element)
      }
    ).svg
  }

  @Test("a bar is as tall as its part of the axis, and names its series escaped")
  func heights() {
    let svg = Self.bars([[4, 0], [1, 1]])
    // 4 is the axis' end, of 200 points.
    #expect(svg.contains(#"height="200" fill="#))
    #expect(svg.components(separatedBy: #"height="50" fill="#).count == 3)
    #expect(svg.contains("step 1: 1 × &lt;b&gt;</title>") && !svg.contains("<b>"))
  }

  @Test("no bars, no counts and large counts make a drawing", arguments: [0, 1, 1_000_000])
  func extremes(count: Int) {
    #expect(Self.bars([]).hasSuffix("</svg>"))
    #expect(Self.bars([[count, 0]]).hasSuffix("</svg>"))
    let many = Self.bars(Array(repeating: [count, count], count: 500))
    #expect(!many.contains("nan") && !many.contains("inf"))
  }

  @Test("coordinates have at most one decimal")
  func coordinates() {
    #expect(
      [0.0, 1.0, 1.25, -0.04, -1.25, 12.96].map(\.svg) == ["0", "1", "1.3", "0", "-1.3", "13"])
  }
}
