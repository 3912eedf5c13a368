import Foundation
import Schedules
import Testing

@Suite("Races in every order")
struct RaceTests {
  /// `MMU_RACE_LIMIT` for more; `mmu races` runs them to their end.
  static let limit =
    ProcessInfo.processInfo.environment["MMU_RACE_LIMIT"].flatMap { Int($0) } ?? 250

  @Test(
    "T1 T3 T4 T5 T7 T8 no order of steps loses a write, a table or a mark",
    .timeLimit(.minutes(45)), arguments: Race.all.map(\.name))
  func race(name: String) throws {
    let race = try #require(Race.named(name))
    let report = try ScheduleExplorer(limit: Self.limit).explore(race)
    #expect(report.failures == [])
    #expect(report.isComplete || report.runs == Self.limit)
    #expect(report.ends > 1, "\(name) has no race")
  }

  @Test("races have names of their own")
  func names() {
    #expect(Set(Race.all.map(\.name)).count == Race.all.count)
    #expect(Race.named("none") == nil)
  }

  @Test(
    "a broken MMU is found, and its line breaks it again",
    .timeLimit(.minutes(45)),
    arguments: [
      (Race.freeWithoutGrace, "vCPU 0 reads 0 in frame 1, where it wrote 7"),
      (Race.clearWithoutFlush, "frame 1 was written and is not copied"),
      (Race.storeForExchange, "leads elsewhere than slot 0"),
    ])
  func broken(race: Race, finding: String) throws {
    let report = try ScheduleExplorer(limit: 20_000).explore(race)
    let failure = try #require(report.failures.first, "not found in \(report.runs) runs")
    #expect(failure.findings.contains { $0.contains(finding) }, "\(failure.findings)")
    print("\(failure.line): found after \(report.runs) runs")
    let line = failure.line.split(separator: " ")
    let schedule = try #require(line.count == 3 ? Schedule(String(line[2])) : nil)
    let again = try ScheduleExplorer.replay(schedule, of: race)
    #expect(again.failures.first?.findings == failure.findings)
    // In the usual order nothing happens: it is the order that breaks it.
    let usual = try #require(Schedule(""))
    #expect(try ScheduleExplorer.replay(usual, of: race).failures == [])
  }
}
