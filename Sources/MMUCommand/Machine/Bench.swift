import ArgumentParser
import MMUBench

/// `mmu bench`.
struct Bench: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures the hot paths against a plain C twin, and prints a table of ratios.",
    discussion: """
      Program and twin take turns in one process, round by round; figures are medians. Build in \
      release mode, as `make bench` does.

      Examples:
        mmu bench walk.checked.random --rounds 9
      """)

  @Argument(help: "Which figures (default: all).")
  var names: [String] = []

  @Option(help: "How many rounds of each.")
  var rounds = 41

  @Flag(help: "Print JSON Lines.")
  var json = false

  func validate() throws {
    for name in names where !BenchmarkRunner.names.contains(name) {
      throw ValidationError(
        "there is no figure '\(name)' (\(BenchmarkRunner.names.joined(separator: ", ")))")
    }
    guard rounds >= BenchmarkRunner.minimumRounds else {
      throw ValidationError("--rounds is \(rounds) (\(BenchmarkRunner.minimumRounds) or more)")
    }
  }

  func run() throws {
    if !json { print(BenchmarkResult.tableHeading) }
    do {
      try BenchmarkRunner.run(names, rounds: rounds) { print(json ? $0.json : $0.tableRow) }
    } catch {
      throw FileFailure("bench", error)
    }
  }
}
