import Notation

/// A file of access cases, one JSON object a line; empty lines are passed over.
public struct AccessCaseFile: Sendable {
  /// The cases, each with the number of its line from 1.
  public let cases: [(line: Int, access: AccessCase)]

  /// Reads all lines.
  ///
  /// - Throws: `AccessCaseFileError` for the first line that is no case.
  public init(_ text: [UInt8]) throws(AccessCaseFileError) {
    var cases: [(Int, AccessCase)] = []
    var number = 0
    for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      do {
        cases.append((number, try JSONInput.decode(AccessCase.self, from: line)))
      } catch {
        throw AccessCaseFileError(line: number, description: error.description)
      }
    }
    self.cases = cases
  }

  /// Runs all cases.
  ///
  /// - Parameter onDifference: called for each case that does not come out as it says, in order.
  /// - Returns: how many passed and how many failed.
  public func run(
    onDifference: (AccessCaseDifference) -> Void
  ) -> (passed: Int, failed: Int) {
    var passed = 0
    for (line, access) in cases {
      let outcome = access.run()
      if AccessOutcome.agree(outcome, access.expectation) {
        passed += 1
      } else {
        onDifference(AccessCaseDifference(line: line, access: access, outcome: outcome))
      }
    }
    return (passed, cases.count - passed)
  }
}
