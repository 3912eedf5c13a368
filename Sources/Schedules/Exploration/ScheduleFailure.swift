/// A schedule that ends badly.
public struct ScheduleFailure: Sendable, Hashable {
  /// The race.
  public let race: String
  /// Who took each step.
  public let schedule: Schedule
  /// What is wrong, one line each.
  public let findings: [String]

  /// What `mmu races` runs again.
  public var line: String { "schedule: \(race) \(schedule)" }
}
