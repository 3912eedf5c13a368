import Foundation
import Scenario
import SystemPackage
import TestSupport
import Testing

@Suite("Scenarios on shadow tables")
struct ShadowScenarioTests {
  static let examples = [
    "shadow-showcase", "shadow-fork", "shadow-dirty-log", "shadow-switch", "shadow-mmio-storm",
    "shadow-pse",
    "shadow-flood",
  ]

  @Test(
    "F18 every example does what it says, with sound tables after every step", arguments: examples)
  func exampleRuns(name: String) throws {
    let folder = SharedFiles.packageRoot + "/Examples"
    let text = try Data(contentsOf: URL(filePath: "\(folder)/\(name).yaml"))
    let runner = try ScenarioRunner(Scenario(yaml: [UInt8](text)), folder: FilePath(folder))
    runner.auditsEveryStep = true
    let summary = runner.run { result in
      #expect(result.isPassed, "step \(result.number): \(result.mismatches)")
    }
    #expect(summary.steps > 5)
    #expect(summary.passed == summary.steps)
  }
}
