import ParallelProperty
import Testing

/// Two runs of each plan; `make property` runs a thousand, optimised.
@Suite("Live migration", .serialized)
struct MigrationTests {
  @Test(
    "T3 a guest copied while it writes ends byte-equal, no write lost", .timeLimit(.minutes(15)),
    arguments: MigrationPlan.all)
  func migrate(plan: MigrationPlan) throws {
    for seed in [1, 4] as [UInt64] {
      let report = try ParallelCampaign.migration(plan, seed: seed)
      #expect(report.failure == nil, "seed \(seed)")
      print(
        "migration \(plan), seed \(seed): \(report.rounds) rounds,"
          + " \(report.copied) pages copied, \(report.writes) writes meanwhile")
    }
  }
}
