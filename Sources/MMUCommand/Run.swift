import ArgumentParser
import Paging
import Report
import Scenario
import SystemPackage

/// `mmu run`.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a guest scenario and prints each step, the exits and the totals.",
    discussion: "Exits with 1 where an expectation of the scenario does not hold.")

  @Argument(help: "The scenario, a YAML file.")
  var scenario: String

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    let parsed: Scenario
    do {
      parsed = try Scenario(yaml: InputFile.read(scenario))
    } catch let error as ScenarioError {
      throw FileFailure(scenario, line: error.line, error.message)
    }
    let runner: ScenarioRunner
    do {
      runner = try ScenarioRunner(
        parsed, folder: FilePath(scenario).removingLastComponent())
    } catch {
      throw FileFailure(scenario, line: error.line, error.message)
    }
    for note in runner.notes { StandardError.write("mmu: note: \(note)") }
    var output = StandardOutput()
    if !json {
      if !parsed.name.isEmpty { try output.write(parsed.name) }
      try output.write(runner.machineSummary)
      try output.write("")
    }
    let summary = try runner.run { result in
      if json {
        try output.write(result.json.line)
      } else {
        for line in result.lines { try output.write(line) }
        try output.write("")
      }
    }
    if json {
      try output.write(summary.json.line)
    } else {
      for line in summary.lines { try output.write(line) }
    }
    try output.flush()
    if summary.failed > 0 { throw ExitCode(1) }
  }
}
