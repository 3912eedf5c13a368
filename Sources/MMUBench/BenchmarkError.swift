/// Why benchmarks could not be run to the end.
public enum BenchmarkError: Error, Hashable, Sendable {
  /// No benchmark has this name.
  case unknownName(String)
  /// The program and its baseline found different results, so their times mean nothing.
  case disagreement(String)
  /// What a benchmark needs is not there, and why.
  case noData(String, String)
}

extension BenchmarkError: CustomStringConvertible {
  /// One line for people.
  public var description: String {
    switch self {
    case .unknownName(let name):
      "no benchmark is called \(name); there are \(BenchmarkRunner.names.joined(separator: ", "))"
    case .disagreement(let name): "\(name): the program and its baseline disagree"
    case .noData(let name, let why): "\(name): \(why)"
    }
  }
}
