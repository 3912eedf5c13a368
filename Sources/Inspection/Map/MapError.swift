public import Paging

/// Why an address space cannot be listed.
public enum MapError: Error, Hashable, Sendable {
  /// It maps more than the limit.
  case tooLarge(VisitBudget)
}

extension MapError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .tooLarge(let budget):
      "the tables map more than can be listed (at most \(budget.pages) pages in"
        + " \(budget.tables) tables; tables that hold themselves?)"
    }
  }
}
