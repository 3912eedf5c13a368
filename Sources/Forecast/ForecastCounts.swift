/// What a policy costs over the rounds of a trace.
public struct ForecastCounts: Sendable, Hashable {
  /// Exits for a write that the second level does not allow.
  public var faults = 0
  /// Large pages split.
  public var splits = 0
  /// How often every TLB must be flushed.
  public var flushes = 0
  /// Exits because a vCPU's ring is full.
  public var ringFullExits = 0
  /// Exits because the page-modification log is full.
  public var modificationLogExits = 0
  /// The pages sent in each round.
  public var sent: [Int] = []

  /// No cost.
  public init() {}

  /// The pages sent in all rounds. **Units** pages of 4 KiB.
  public var pagesSent: Int { sent.reduce(0, +) }
}
