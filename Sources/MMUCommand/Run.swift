import ArgumentParser
import Paging
import PluginHost
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

  @Option(
    help: ArgumentHelp(
      "A plugin to load besides those of the scenario; may be given more than once.",
      valueName: "so"))
  var plugin: [String] = []

  @Flag(help: "Leave out all plugins, also those of the scenario.")
  var withoutPlugins = false

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    let parsed: Scenario
    do {
      parsed = try Scenario(yaml: InputFile.read(scenario))
    } catch let error as ScenarioError {
      throw FileFailure(scenario, line: error.line, error.message)
    }
    let folder = FilePath(scenario).removingLastComponent()
    let plugins: MachinePlugins
    do {
      plugins =
        withoutPlugins
        ? MachinePlugins() : try MachinePlugins(parsed.plugins, folder: folder, more: plugin)
    } catch {
      throw FileFailure(plugin: error)
    }
    let runner: ScenarioRunner
    do {
      runner = try ScenarioRunner(parsed, folder: folder, plugins: plugins)
    } catch {
      throw FileFailure(scenario, line: error.line, error.message)
    }
    for note in runner.notes { StandardError.write("mmu: note: \(note)") }
    var output = StandardOutput()
    if !json {
      if !parsed.name.isEmpty { try output.write(parsed.name) }
      try output.write(runner.machineSummary)
      for line in runner.pluginLines { try output.write("plugin \(line)") }
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
    if let refusal = plugins.firstRefusal { throw FileFailure(plugin: refusal) }
    if summary.failed > 0 { throw ExitCode(1) }
  }
}
