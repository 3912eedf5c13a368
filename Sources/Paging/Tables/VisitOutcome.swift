/// How a visit ended.
@frozen
public enum VisitOutcome<Answer> {
  /// Everything was visited.
  case finished
  /// The visitor stopped it.
  case stopped(Answer)
  /// The budget was used up: hostile tables can map more than anybody can list.
  case exhausted
}

extension VisitOutcome: Sendable where Answer: Sendable {}
