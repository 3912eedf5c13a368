/// Why a file holds no cases.
public struct AccessCaseFileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line, from 1.
  public let line: Int
  /// What is wrong with it, in one line.
  public let description: String
}
