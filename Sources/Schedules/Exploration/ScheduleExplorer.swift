/// Runs a race in every order that can make a difference.
///
/// A state of a race is what each thread has done and seen, and what the places hold that they share.
/// Each run goes to a state from which another thread has still to go on, and from there to one that was
/// seen before, or to an end; where it ended is checked. So two orders that lead to the same state are
/// two runs up to there and one from there on. From each state those threads go on that a persistent set
/// and sleep sets demand (`StateGraph`).
public struct ScheduleExplorer {
  /// The most runs.
  public var limit: Int
  /// After how many failures to stop.
  public var failureLimit: Int

  /// An explorer.
  public init(limit: Int = 1_000_000, failureLimit: Int = 1) {
    self.limit = limit
    self.failureLimit = failureLimit
  }

  /// Explores a race.
  ///
  /// - Throws: what setting it up throws.
  public func explore(_ race: Race) throws -> ScheduleReport {
    var report = ScheduleReport(race: race.name)
    let search = ScheduleSearch(threads: race.threads)
    while report.runs < limit {
      let turns = Turns(threads: race.threads)
      let run = try race.prepare(turns)
      guard search.begin(content: run.content) else {
        report.isComplete = true
        return report
      }
      let ending = turns.run(run.bodies) { search.choose($0) }
      report.runs += 1
      report.states = search.stateCount
      let isNew = search.finish()
      if let divergence = search.divergence {
        report.failures.append(
          ScheduleFailure(race: race.name, schedule: search.schedule, findings: [divergence]))
        return report
      }
      guard isNew else { continue }
      report.ends += 1
      report.longest = max(report.longest, search.schedule.threads.count)
      let findings = Self.findings(ending, run)
      if !findings.isEmpty {
        report.failures.append(
          ScheduleFailure(race: race.name, schedule: search.schedule, findings: findings))
        if report.failures.count >= failureLimit { return report }
      }
    }
    return report
  }

  /// Runs one schedule again.
  ///
  /// - Returns: a report of one run; a line that names a thread which cannot go on is a failure.
  /// - Throws: what setting the race up throws.
  public static func replay(_ schedule: Schedule, of race: Race) throws -> ScheduleReport {
    let turns = Turns(threads: race.threads)
    let run = try race.prepare(turns)
    var taken = Schedule([])
    var stray: Int?
    let ending = turns.run(run.bodies) { choice in
      var next = Schedule.usual(choice)
      if choice.ready.isEmpty { return next }
      let index = taken.threads.count
      if stray == nil, schedule.threads.indices.contains(index) {
        let wanted = schedule.threads[index]
        if choice.ready.contains(wanted) { next = wanted } else { stray = index }
      }
      taken.threads.append(next)
      return next
    }
    var report = ScheduleReport(race: race.name)
    report.runs = 1
    report.ends = 1
    report.longest = taken.threads.count
    let findings =
      stray.map { ["step \($0 + 1): thread \(schedule.threads[$0]) cannot go on here"] }
      ?? findings(ending, run)
    if !findings.isEmpty {
      report.failures = [
        ScheduleFailure(race: race.name, schedule: schedule, findings: findings)
      ]
    }
    return report
  }

  private static func findings(_ ending: Turns.Ending, _ run: Race.Run) -> [String] {
    switch ending {
    case .complete: run.check()
    case .deadlock(let waiting):
      ["threads \(waiting.map(String.init).joined(separator: ", ")) wait for one another"]
    case .endless(let steps): ["not at an end after \(steps) steps"]
    }
  }
}
