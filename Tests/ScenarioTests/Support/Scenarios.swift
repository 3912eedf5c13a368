import Foundation
import Scenario
import SystemPackage

/// Scenarios as the tests write them.
enum Scenarios {
  /// A long-mode guest with 16 MiB, its steps to follow.
  static let long4 = """
    scenario: 1
    machine:
      guest: long4
      mmu: ept
      maxphyaddr: 40
      memory:
        - {gpa: 0x0, size: 16 MiB}
    steps:

    """

  /// The guest above with a page mapped at 0x400000.
  static let mapped =
    long4
    + "  - map: {va: 0x400000, gpa: 0x200000, size: 8 KiB, permissions: urw-, tables-at: 0x600000}\n"

  static func read(_ text: String) throws(ScenarioError) -> Scenario {
    try Scenario(yaml: Array(text.utf8))
  }

  /// What is wrong with a file, or what composing its machine says.
  static func error(_ text: String) -> ScenarioError? {
    do throws(ScenarioError) {
      _ = try ScenarioRunner(read(text), folder: examples)
      return nil
    } catch {
      return error
    }
  }

  /// The results of a scenario's steps, after each of which the tables are audited.
  static func run(
    _ text: String, folder: FilePath = examples
  ) throws -> (results: [StepResult], summary: RunSummary) {
    var results: [StepResult] = []
    let runner = try ScenarioRunner(read(text), folder: folder)
    runner.auditsEveryStep = true
    let summary = runner.run { results.append($0) }
    return (results, summary)
  }

  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  static let examples = FilePath(root.appending(path: "Examples").path)

  /// The example scenarios, by file name.
  static func exampleNames() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: examples.string)
      .filter { $0.hasSuffix(".yaml") }.sorted()
  }

  static func example(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(filePath: examples.appending(name).string)))
  }
}
