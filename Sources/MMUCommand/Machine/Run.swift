import ArgumentParser
import Report
import Scenario

/// `mmu run`.
struct Run: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs a guest scenario and prints each step, the exits and the totals.",
    discussion: """
      Exits with 1 where an expectation of the scenario does not hold.

      Examples:
        mmu run Examples/first-access.yaml
        mmu run guest.yaml --plugin build/plugins/mmio_window.so --trace run.jsonl
        mmu run Examples/showcase.yaml --report showcase.html
      """)

  @Argument(help: "The scenario, a YAML file.")
  var scenario: String

  @Option(
    help: ArgumentHelp(
      "A plugin to load besides those of the scenario; may be given more than once.",
      valueName: "so"))
  var plugin: [String] = []

  @Flag(help: "Leave out all plugins, also those of the scenario.")
  var withoutPlugins = false

  @Flag(
    help: "Run each plugin in a process of its own: a crash is an error that names the hook.")
  var isolatePlugins = false

  @Flag(
    help: "Check each translation before it is used, and tell of those that are stale.")
  var staleTranslations = false

  @Flag(help: "Audit the tables after every step; what is wrong fails the step.")
  var auditEveryStep = false

  @Option(
    help: ArgumentHelp(
      "Write every access and how it ended to a file, as 'replay' reads it.", valueName: "file"))
  var trace: String?

  @Option(
    help: ArgumentHelp(
      "Write the run to a page of HTML: exits by step, every step to unfold, the totals.",
      valueName: "file"))
  var report: String?

  @Flag(help: "Print JSON Lines.")
  var json = false

  func run() throws {
    let loaded = try LoadedScenario(
      scenario, morePlugins: plugin, withoutPlugins: withoutPlugins,
      isolation: isolatePlugins ? .worker : nil, findsStaleTranslations: staleTranslations)
    let runner = loaded.runner
    runner.auditsEveryStep = auditEveryStep
    runner.recordsWalks = !json || report != nil
    for note in runner.notes { StandardError.write("mmu: note: \(note)") }
    var output = StandardOutput()
    if !json {
      if !runner.scenario.name.isEmpty { try output.write(runner.scenario.name) }
      try output.write(runner.machineSummary)
      for line in runner.pluginLines { try output.write("plugin \(line)") }
      try output.write("")
    }
    var page = RunPage(
      title: runner.scenario.name,
      machine: [runner.machineSummary] + runner.pluginLines.map { "plugin \($0)" } + runner.notes)
    // A file that cannot be written is known before the guest runs.
    if let report { try OutputFile.write("", to: report) }
    let recording = try trace.map { try TraceOutput($0) }
    let bar = ProgressBar("running")
    let summary = try runner.run(
      trace: recording.map { recording in { recording.add($0) } },
      progress: { bar.show(Double($0) / Double(max($1, 1))) }
    ) { result in
      bar.clear()
      if report != nil { page.add(result) }
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
    try recording?.close()
    if let report { try OutputFile.write(page.html(summary), to: report) }
    if let refusal = loaded.plugins.firstRefusal { throw FileFailure(plugin: refusal) }
    if summary.failed > 0 { throw ExitCode(1) }
  }
}
