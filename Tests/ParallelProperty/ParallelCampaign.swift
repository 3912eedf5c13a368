/// Many seeded runs of vCPU threads: migrations under every plan and stress of every shape, in turn.
///
/// A seed decides what the threads do, and the scheduler when: a failure repeats often, not always.
package struct ParallelCampaign: Sendable {
  /// The first run's seed; the others count up from it.
  package let seed: UInt64
  /// **Units** runs.
  package let migrations: Int
  /// **Units** runs.
  package let stresses: Int

  package init(seed: UInt64, migrations: Int, stresses: Int) {
    self.seed = seed
    self.migrations = migrations
    self.stresses = stresses
  }

  /// Runs them all.
  ///
  /// - Parameter line: told what each plan and shape came to, and each failure.
  /// - Returns: how many runs failed.
  package func perform(_ line: (String) -> Void) -> Int {
    migrate(line) + stress(line)
  }

  /// One migration: every fourth of a guest with more pages, in more rounds.
  package static func migration(
    _ plan: MigrationPlan, seed: UInt64
  ) throws -> Migration.Report {
    let isLarge = seed % 4 == 0
    return try Migration(plan, pages: isLarge ? 96 : 24, rounds: isLarge ? 6 : 3).run(seed: seed)
  }

  private func migrate(_ line: (String) -> Void) -> Int {
    var failed = 0
    for (number, plan) in MigrationPlan.all.enumerated() where number < migrations {
      var total = Migration.Report()
      var runs = 0
      for index in stride(from: number, to: migrations, by: MigrationPlan.all.count) {
        let seed = self.seed &+ UInt64(index / MigrationPlan.all.count)
        runs += 1
        do {
          let report = try Self.migration(plan, seed: seed)
          total.rounds += report.rounds
          total.copied += report.copied
          total.writes += report.writes
          guard let failure = report.failure else { continue }
          failed += 1
          line("migration \(plan), seed \(seed): \(failure)")
        } catch {
          failed += 1
          line("migration \(plan), seed \(seed): no machine: \(error)")
        }
      }
      line(
        "migration \(plan): \(runs) runs, \(total.rounds) rounds, \(total.copied) pages copied,"
          + " \(total.writes) writes meanwhile")
    }
    return failed
  }

  private func stress(_ line: (String) -> Void) -> Int {
    var failed = 0
    for index in 0..<stresses {
      let shape = StressShape.all[index % StressShape.all.count]
      let seed = self.seed &+ UInt64(index)
      do {
        let report = try Stress(shape, seed: seed).run()
        line("stress \(shape), seed \(seed): \(report.words)")
        if report.mistakes.isEmpty { continue }
        for mistake in report.mistakes { line("  \(mistake)") }
      } catch { line("stress \(shape), seed \(seed): no machine: \(error)") }
      failed += 1
    }
    return failed
  }
}

extension Stress.Report {
  /// One line.
  package var words: String {
    "\(accesses) accesses, \(changes.values.reduce(0, +)) changes, exits \(exits)"
  }
}
