public import Paging

/// One rule of the manual, judged for one access.
public struct AccessRule: Hashable, Sendable {
  /// How a rule came out.
  public enum Verdict: String, Sendable, Hashable {
    /// The rule lets the access through.
    case passed
    /// The rule refuses it.
    case failed
    /// The rule does not concern this access, or the walk did not get that far.
    case notApplicable = "not applicable"
  }

  /// Something that the rule looked at.
  public struct Value: Hashable, Sendable {
    /// Its name, such as `CR0.WP` or `PDE.R/W`.
    public let name: String
    /// Its value.
    public let value: UInt64
  }

  /// The rule's name.
  public let name: String
  /// The manual and its section's title.
  public let source: String
  /// How it came out.
  public let verdict: Verdict
  /// What it looked at.
  public let values: [Value]
  /// Why it came out so.
  public let words: String
  /// What the processor reports where it fails; `nil` where the file does not hold a table.
  public let cause: FaultCause?
  /// Changes that together make it pass, where some do.
  let repair: [AccessChange]

  init(
    _ name: String, source: String, _ verdict: Verdict, _ values: [Value], _ words: String,
    cause: FaultCause? = nil, repair: [AccessChange] = []
  ) {
    self.name = name
    self.source = source
    self.verdict = verdict
    self.values = values
    self.words = words
    self.cause = cause
    self.repair = repair
  }
}

extension AccessRule.Value {
  init(_ name: String, _ value: UInt64) {
    self.name = name
    self.value = value
  }

  init(_ name: String, _ value: Bool) { self.init(name, value ? 1 : 0) }
}
