/// A benchmark with data of its own: two loops that find the same.
struct PairBenchmark {
  /// The two sides, over data that both keep alive.
  struct Sides {
    var program: () -> WalkLoop.Tally
    var baseline: () -> WalkLoop.Tally
  }

  var name: String
  /// Operations a run.
  var count: Int
  /// What the baseline is called in results.
  var baseline: String
  /// Lays out the data.
  var prepare: () -> Sides

  /// Every benchmark of this kind, in the order of the table.
  static var all: [PairBenchmark] {
    [nested("walk.2d.4k", .small), nested("walk.2d.2m", .large)]
  }

  /// Walks through two levels, against the twin's.
  private static func nested(_ name: String, _ shape: NestedTables.Shape) -> PairBenchmark {
    let count = 1 << 17
    return PairBenchmark(name: name, count: count, baseline: "c") {
      let tables = NestedTablesBox(NestedTables(shape))
      return Sides(
        program: { tables.value.run(count: count) },
        baseline: { tables.value.runTwin(count: count) })
    }
  }

  private final class NestedTablesBox {
    let value: NestedTables

    init(_ value: consuming NestedTables) { self.value = value }
  }

  /// Times both sides in turn.
  func measure(rounds: Int) throws(BenchmarkError) -> BenchmarkResult {
    let sides = prepare()
    // The first run of each sets A and D, so that all further ones find the same tables.
    _ = sides.program()
    let expected = sides.baseline()
    guard sides.program() == expected, expected.failures == 0 else { throw .disagreement(name) }
    var times: [Double] = []
    var baselineTimes: [Double] = []
    let clock = ContinuousClock()
    for round in 0..<rounds {
      for turn in 0..<2 {
        let isProgram = (round + turn) % 2 == 0
        let start = clock.now
        let tally = isProgram ? sides.program() : sides.baseline()
        let time = (clock.now - start) / .nanoseconds(1) / Double(count)
        guard tally == expected else { throw .disagreement(name) }
        if isProgram { times.append(time) } else { baselineTimes.append(time) }
      }
    }
    return BenchmarkResult(
      name: name, baseline: baseline, times: times, baselineTimes: baselineTimes)
  }
}
