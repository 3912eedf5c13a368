import ArgumentParser
import Report
import Scenario
import SystemPackage

/// `mmu cases`.
struct Cases: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs access cases and prints the first differences and the totals.",
    discussion: """
      Examples:
        mmu cases Examples/cases/first.jsonl
      """)

  @Argument(help: "The cases, one JSON object a line.")
  var file: String

  @Flag(help: "Print JSON Lines: one object a difference, then the summary.")
  var json = false

  /// How many differences are printed.
  private static var mostDifferences: Int { 10 }

  func run() throws {
    let cases: AccessCaseFile
    do {
      cases = try AccessCaseFile(InputFile.read(file))
    } catch let error as AccessCaseFileError {
      throw FileFailure(file, line: error.line, error)
    }
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
    if failed > 0 { throw ExitCode(1) }
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
    line.add("expected", object(for: expected))
    line.add("got", object(for: difference.outcome))
    return line.line
  }

  private func object(for outcome: AccessOutcome) -> JSONLine {
    var line = JSONLine()
    switch outcome.result {
    case .granted(let gpa, let size):
      line.add("ok", true)
      line.add("pa", gpa)
      line.add("pageSize", hex: size)
    case .refused(let vector, let code):
      line.add("ok", false)
      line.add("vector", Int(vector))
      line.add("error", hex: UInt64(code))
    case .contended:
      line.add("ok", false)
      line.add("reason", "contended")
    }
    var changed = JSONLine()
    for (address, value) in outcome.changed.sorted(by: { $0.key < $1.key }) {
      changed.add(address.hex, hex: value)
    }
    line.add("memory_after", changed)
    return line
  }
}
