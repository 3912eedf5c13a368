import AccessCases
import ArgumentParser
import Report

/// `mmu cases FILE`.
struct CasesRun: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs the cases of a file; what `mmu cases FILE` does.",
    discussion: """
      Examples:
        mmu cases run Examples/cases/first.jsonl --json
      """)

  /// Who is asked besides the model.
  enum Oracle: String, ExpressibleByArgument, CaseIterable {
    case kvm
  }

  @Argument(help: "The cases, one JSON object a line.")
  var file: String

  @Option(
    help: ArgumentHelp(
      "Ask this machine's CPU too: kvm.",
      discussion: """
        Prints model, CPU and file side by side where they differ. Cases that the CPU cannot be asked \
        about are left out, and why.
        """))
  var verify: Oracle?

  @Flag(help: "Print JSON Lines: one object a difference, then the summary.")
  var json = false

  /// How many differences are printed.
  static var mostDifferences: Int { 10 }

  func run() throws {
    let cases: AccessCaseFile
    do {
      cases = try AccessCaseFile(InputFile.read(file))
    } catch let error as AccessCaseFileError {
      throw FileFailure(file, line: error.line, error)
    }
    let isSound =
      switch verify {
      case nil: try compare(cases)
      case .kvm: try verify(cases)
      }
    if !isSound { throw ExitCode(1) }
  }

  /// Compares the model with the file.
  private func compare(_ cases: AccessCaseFile) throws -> Bool {
    var differences: [AccessCaseDifference] = []
    let (passed, failed) = cases.run { difference in
      if differences.count < Self.mostDifferences { differences.append(difference) }
    }
    var output = StandardOutput()
    for difference in differences { try output.write(line(for: difference)) }
    if json {
      var totals = JSONLine()
      totals.add("passed", passed)
      totals.add("failed", failed)
      var line = JSONLine()
      line.add("summary", totals)
      try output.write(line.line)
    } else {
      try output.write("\(passed) passed, \(failed) failed")
    }
    try output.flush()
    return failed == 0
  }

  private func line(for difference: AccessCaseDifference) -> String {
    let expected = difference.access.expectation
    guard json else {
      return "\(file):\(difference.line): \(difference.access.id): expected \(expected);"
        + " got \(difference.outcome)"
    }
    var line = JSONLine()
    line.add("id", difference.access.id)
    line.add("line", difference.line)
    line.add("expected", expected.json)
    line.add("got", difference.outcome.json)
    return line.line
  }
}
