import ArgumentParser
import Report
import Schedules

/// `mmu races`.
struct Races: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs small races of the MMU's threads in every order that can make a difference.",
    discussion: """
      Examples:
        mmu races
        mmu races --race fault-and-split --json
        mmu races --race mark-and-zap --schedule 0x14,1x3
      """)

  @Option(help: "The race to run, by name; default: all, one after the other.")
  var race: String?

  @Option(help: "Run this one schedule of the race again, as a failure printed it.")
  var schedule: String?

  @Option(help: "The most runs of one race.")
  var limit = 1_000_000

  @Flag(help: "Print one JSON object a race.")
  var json = false

  func validate() throws {
    if let race, Race.named(race) == nil {
      throw ValidationError(
        "no race is named '\(race)' (there are: \(Race.all.map(\.name).joined(separator: ", ")))")
    }
    if limit < 1 { throw ValidationError("--limit \(limit): at least 1 run") }
    guard let schedule else { return }
    guard race != nil else { throw ValidationError("--schedule needs --race") }
    if Schedule(schedule) == nil {
      throw ValidationError(
        "'\(schedule)' is no schedule (runs of a thread, as in 0x14,1x3; at most"
          + " \(Schedule.stepLimit) steps)")
    }
  }

  func run() throws {
    var output = StandardOutput()
    var hasFailed = false
    for race in race.flatMap({ Race.named($0) }).map({ [$0] }) ?? Race.all {
      let report: ScheduleReport
      if let schedule = schedule.flatMap({ Schedule($0) }) {
        report = try ScheduleExplorer.replay(schedule, of: race)
      } else {
        report = try ScheduleExplorer(limit: limit).explore(race)
      }
      hasFailed = hasFailed || !report.failures.isEmpty
      for line in json ? [Self.object(report).line] : lines(report, race) {
        try output.write(line)
      }
      try output.flush()
    }
    if hasFailed { throw ExitCode(1) }
  }

  private func lines(_ report: ScheduleReport, _ race: Race) -> [String] {
    var lines = ["\(race.name): \(race.summary)"]
    if schedule != nil {
      lines.append("  1 schedule of \(report.longest) steps")
    } else {
      lines.append(
        "  \(report.runs) runs of up to \(report.longest) steps through \(report.states) states to"
          + " \(report.ends) ends, " + (report.isComplete ? "all that there are" : "not all"))
    }
    for failure in report.failures {
      lines.append("  \(failure.line)")
      lines += failure.findings.map { "    \($0)" }
    }
    return lines
  }

  private static func object(_ report: ScheduleReport) -> JSONLine {
    var line = JSONLine()
    line.add("race", report.race)
    line.add("runs", report.runs)
    line.add("states", report.states)
    line.add("ends", report.ends)
    line.add("longest", report.longest)
    line.add("complete", report.isComplete)
    line.add(
      "failures",
      report.failures.map { failure in
        var entry = JSONLine()
        entry.add("schedule", "\(failure.schedule)")
        entry.add("findings", failure.findings)
        return entry
      })
    return line
  }
}
