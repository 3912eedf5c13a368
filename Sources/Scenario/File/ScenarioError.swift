/// What is wrong with a scenario, and where.
public struct ScenarioError: Error, Sendable, Hashable {
  /// The line, from 1; `nil` where the whole file is meant.
  public let line: Int?
  /// What is wrong, and in brackets what is allowed.
  public let message: String

  /// An error.
  public init(line: Int?, _ message: String) {
    self.line = line
    self.message = message
  }
}

extension ScenarioError: CustomStringConvertible {
  /// `LINE: message`.
  public var description: String { (line.map { "\($0): " } ?? "") + message }
}
