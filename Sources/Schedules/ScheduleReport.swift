/// What an exploration found.
public struct ScheduleReport: Sendable, Hashable {
  /// The race.
  public let race: String
  /// Schedules run to their end and checked.
  public internal(set) var explored = 0
  /// Runs given up because they only repeat another in a different order of independent steps.
  public internal(set) var redundant = 0
  /// The steps of the longest schedule.
  public internal(set) var longest = 0
  /// Whether every schedule was run that differs in the order of steps on a common place.
  public internal(set) var isComplete = false
  /// The schedules that ended badly.
  public internal(set) var failures: [ScheduleFailure] = []

  init(race: String) { self.race = race }
}
