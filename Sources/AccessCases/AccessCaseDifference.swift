/// A case that did not come out as it says.
public struct AccessCaseDifference: Sendable {
  /// The line of the case, from 1.
  public let line: Int
  /// The case.
  public let access: AccessCase
  /// What came out.
  public let outcome: AccessOutcome
}
