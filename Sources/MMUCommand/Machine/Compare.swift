import ArgumentParser
import Scenario

/// `mmu compare`.
struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs the same guest steps on two machines and prints the runs side by side.",
    discussion: """
      The steps of both scenarios must be the same; machines and plugins may differ. With one \
      scenario and --without-plugins it is run with its plugins and without; with --encoders it is \
      run on several MMUs, and what the entries of each cannot say is listed.

      Examples:
        mmu compare first-access.yaml huge-pages.yaml
        mmu compare showcase.yaml --without-plugins
        mmu compare first-access.yaml --encoders legacy,ept,npt,tdx
      """)

  @Argument(help: "The scenario that is run as A.")
  var first: String

  @Argument(help: "The scenario that is run as B.")
  var second: String?

  @Flag(help: "Compare the one scenario with itself, its plugins left out in B.")
  var withoutPlugins = false

  @Option(
    help: ArgumentHelp(
      "Compare the one scenario on several MMUs: legacy (or shadow), ept, npt, tdx.",
      valueName: "names"),
    transform: EncoderList.init)
  var encoders: EncoderList?

  @Flag(help: "Print JSON Lines.")
  var json = false

  func validate() throws {
    guard [second != nil, withoutPlugins, encoders != nil].count(where: { $0 }) == 1 else {
      throw ValidationError("give two scenarios, or one and --without-plugins or --encoders")
    }
  }

  func run() throws {
    if let encoders {
      let bakeoff = try encoders.bakeoff(first)
      var output = StandardOutput()
      if json {
        for line in bakeoff.json { try output.write(line) }
      } else {
        for line in bakeoff.lines { try output.write(line) }
      }
      return try output.flush()
    }
    var comparison = try compare()
    comparison.keepShorterTimes(of: try compare())
    var output = StandardOutput()
    if json {
      for line in comparison.json { try output.write(line) }
    } else {
      for line in comparison.lines { try output.write(line) }
    }
    try output.flush()
  }

  private func compare() throws(FileFailure) -> ScenarioComparison {
    let a = try LoadedScenario(first)
    let b = try LoadedScenario(second ?? first, withoutPlugins: withoutPlugins)
    let comparison: ScenarioComparison
    do {
      comparison = try ScenarioComparison(a.runner, b.runner)
    } catch {
      throw FileFailure(second ?? first, line: error.line, error.message)
    }
    for loaded in [a, b] {
      if let refusal = loaded.plugins.firstRefusal { throw FileFailure(plugin: refusal) }
    }
    return comparison
  }
}
