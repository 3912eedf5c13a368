import FoundationEssentials

/// A benchmark with data of its own: two loops over it, which find the same unless they differ in kind.
struct PairBenchmark {
  /// The two sides, over data that both keep alive.
  struct Sides {
    /// Puts the data back before each run of a side; not timed.
    var resetProgram: () -> Void = {}
    var resetBaseline: () -> Void = {}
    var program: () -> WalkLoop.Tally
    var baseline: () -> WalkLoop.Tally
  }

  var name: String
  /// Operations a run.
  var count: Int
  /// What the baseline is called in results.
  var baseline: String
  /// Whether both sides compute the same and must agree.
  var agrees = true
  /// A file that it needs, from the package's folder or the system's; without it there is no figure.
  var file: String?
  /// Lays out the data.
  var prepare: () throws -> Sides

  /// Every benchmark of this kind, in the order of the table.
  static var all: [PairBenchmark] {
    [
      nested("walk.2d.4k", .small), nested("walk.2d.2m", .large),
      cached("walk.2d.cached.random", RandomPattern.self),
      cached("walk.2d.cached.sequential", SequentialPattern.self),
    ] + accesses + shadow + faults + upkeep + [pluginCall] + images
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

  /// The guest's walks through the second level, with paging-structure caches and without.
  private static func cached<Pattern: AddressPattern>(
    _ name: String, _ pattern: Pattern.Type
  ) -> PairBenchmark {
    let count = 1 << 17
    return PairBenchmark(name: name, count: count, baseline: "uncached") {
      let tables = NestedTablesBox(NestedTables(.small))
      return Sides(
        program: { tables.value.runCached(pattern, isCached: true, count: count) },
        baseline: { tables.value.runCached(pattern, isCached: false, count: count) })
    }
  }

  private final class NestedTablesBox {
    let value: NestedTables

    init(_ value: consuming NestedTables) { self.value = value }
  }

  /// Times both sides in turn.
  func measure(rounds: Int) throws(BenchmarkError) -> BenchmarkResult {
    if let file, !FileManager.default.fileExists(atPath: file) {
      throw .noData(name, "\(file) is not here")
    }
    let sides: Sides
    do {
      sides = try prepare()
    } catch let error as BenchmarkError {
      throw error
    } catch {
      throw .noData(name, "\(error)")
    }
    // The first run of each sets A and D, so that all further ones find the same tables.
    sides.resetProgram()
    _ = sides.program()
    sides.resetBaseline()
    let expectedBaseline = sides.baseline()
    sides.resetProgram()
    let expected = sides.program()
    guard expected.failures == 0, expectedBaseline.failures == 0,
      !agrees || expected == expectedBaseline
    else { throw .disagreement(name) }
    var times: [Double] = []
    var baselineTimes: [Double] = []
    let clock = ContinuousClock()
    for round in 0..<rounds {
      for turn in 0..<2 {
        let isProgram = (round + turn) % 2 == 0
        if isProgram { sides.resetProgram() } else { sides.resetBaseline() }
        let start = clock.now
        let tally = isProgram ? sides.program() : sides.baseline()
        let time = (clock.now - start) / .nanoseconds(1) / Double(count)
        guard tally == (isProgram ? expected : expectedBaseline) else { throw .disagreement(name) }
        if isProgram { times.append(time) } else { baselineTimes.append(time) }
      }
    }
    return BenchmarkResult(
      name: name, baseline: baseline, times: times, baselineTimes: baselineTimes)
  }
}
