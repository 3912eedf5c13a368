/// What an exploration found.
public struct ScheduleReport: Sendable, Hashable {
  /// The race.
  public let race: String
  /// Runs: each to an end, or to a state that an earlier one had come to.
  public internal(set) var runs = 0
  /// States between two steps that differ.
  public internal(set) var states = 0
  /// Ends that differ, each checked.
  public internal(set) var ends = 0
  /// The steps of the longest schedule.
  public internal(set) var longest = 0
  /// Whether every end was reached that any order of steps leads to.
  public internal(set) var isComplete = false
  /// The schedules that ended badly.
  public internal(set) var failures: [ScheduleFailure] = []

  init(race: String) { self.race = race }
}
