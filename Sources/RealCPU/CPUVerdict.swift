public import AccessCases

/// What the CPU made of an access case.
public enum CPUVerdict: Sendable, Hashable {
  /// It ran; the size of the page is 0, since no instruction tells it.
  case outcome(AccessOutcome)
  /// It could not be asked, and why.
  case leftOut(String)
}
