/// Runs a race in every order that can make a difference.
///
/// Depth first, with dynamic partial-order reduction: after each run the steps that touch a common
/// place and were not ordered by others are found, and the other order is put down for later. Sleep
/// sets keep runs away that repeat one seen.
///
/// **Source** Flanagan and Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software"
/// (POPL 2005).
public struct ScheduleExplorer {
  /// The most runs, redundant ones included.
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
    let tree = ScheduleTree()
    while report.explored + report.redundant < limit {
      let turns = Turns(threads: race.threads)
      let run = try race.prepare(turns)
      tree.begin()
      let ending = turns.run(run.bodies) { tree.choose($0) }
      if let divergence = tree.divergence {
        report.failures.append(
          ScheduleFailure(race: race.name, schedule: tree.schedule, findings: [divergence]))
        return report
      }
      if tree.isRedundant {
        report.redundant += 1
      } else {
        report.explored += 1
        report.longest = max(report.longest, tree.schedule.threads.count)
        let findings = Self.findings(ending, run)
        if !findings.isEmpty {
          report.failures.append(
            ScheduleFailure(race: race.name, schedule: tree.schedule, findings: findings))
          if report.failures.count >= failureLimit { return report }
        }
      }
      tree.noteRaces()
      guard tree.backtrack() else {
        report.isComplete = true
        return report
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
      let index = taken.threads.count
      if stray == nil, schedule.threads.indices.contains(index) {
        let wanted = schedule.threads[index]
        if choice.ready.contains(wanted) { next = wanted } else { stray = index }
      }
      taken.threads.append(next)
      return next
    }
    var report = ScheduleReport(race: race.name)
    report.explored = 1
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
