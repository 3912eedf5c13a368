/// What happens after a visitor has seen a table or a page.
@frozen
public enum VisitStep<Answer> {
  /// The visit goes on.
  case next
  /// The visit goes on past the table, without what is below it.
  case skip
  /// The visit ends with a value.
  case stop(Answer)
}

extension VisitStep: Sendable where Answer: Sendable {}
