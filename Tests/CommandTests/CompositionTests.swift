import Foundation
import TestSupport
import Testing

@Suite("Compositions")
struct CompositionTests {
  private static let folder = SharedFiles.packageRoot + "/Examples/Compositions"

  @Test("the ten compositions print what is recorded beside them")
  func output() throws {
    try #require(try BuiltPlugins.make([]).status == 0)
    let run = try Command([], program: "Compositions", in: SharedFiles.packageRoot)
    #expect(run.status == 0, "\(run.error)")
    let recorded = try String(contentsOfFile: Self.folder + "/output.txt", encoding: .utf8)
    #expect(run.output == recorded)
    #expect(run.lines.count { $0.first?.isNumber == true } == 10)
  }

  @Test(
    "a part of one's own takes fewer than 80 lines",
    arguments: ["ToyFormat", "OriginEncoder", "RangePolicy", "LoggingMMU"])
  func length(file: String) throws {
    let text = try String(contentsOfFile: Self.folder + "/\(file).swift", encoding: .utf8)
    #expect(text.split(separator: "\n", omittingEmptySubsequences: false).count < 80)
  }
}
