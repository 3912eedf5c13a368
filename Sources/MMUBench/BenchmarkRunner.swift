/// Runs the benchmarks of the package.
public enum BenchmarkRunner {
  /// The names of all benchmarks, in the order of the table.
  public static var names: [String] {
    WalkBenchmark.all.map(\.name) + PairBenchmark.all.map(\.name)
  }

  /// The fewest rounds that a median is taken of.
  public static var minimumRounds: Int { 9 }

  /// Runs benchmarks one after the other.
  ///
  /// Program and baseline take turns, round by round; both must find the same.
  ///
  /// - Parameters:
  ///   - names: which; all where empty. The order is the table's.
  ///   - rounds: how often each side runs; at least `minimumRounds`.
  ///   - skip: called with the reason for each that was not asked for by name and has no data here.
  ///   - emit: called with each result as it is known.
  /// - Throws: `BenchmarkError` for a name that does not exist or sides that disagree.
  public static func run(
    _ names: [String] = [], rounds: Int = 41, skip: (BenchmarkError) -> Void = { _ in },
    emit: (BenchmarkResult) -> Void
  ) throws(BenchmarkError) {
    let all = WalkBenchmark.all
    for name in names where !Self.names.contains(name) { throw .unknownName(name) }
    let chosen = names.isEmpty ? all : all.filter { names.contains($0.name) }
    var done: Set<String> = []
    for first in chosen where !done.contains(first.name) {
      // Benchmarks over the same data share it; building the larger tables takes longer than a run.
      var tables = GuestTables(first.shape)
      for benchmark in chosen where benchmark.shape == first.shape {
        emit(try measure(benchmark, on: &tables, rounds: max(rounds, minimumRounds)))
        done.insert(benchmark.name)
      }
    }
    for pair in PairBenchmark.all where names.isEmpty || names.contains(pair.name) {
      do {
        emit(try pair.measure(rounds: max(rounds, minimumRounds)))
      } catch BenchmarkError.noData(let name, let why) where names.isEmpty {
        skip(.noData(name, why))
      }
    }
  }

  private static func measure(
    _ benchmark: WalkBenchmark, on tables: inout GuestTables, rounds: Int
  ) throws(BenchmarkError) -> BenchmarkResult {
    let loop = WalkLoop(
      base: tables.shape.base, bits: tables.shape.bits, count: benchmark.count)
    // From clear A and D bits on both sides: they must leave the same tables behind.
    tables.fill()
    let expected = benchmark.twin(loop, tables)
    let expectedTables = tables.memory.digest()
    tables.fill()
    let found = benchmark.program(loop, tables)
    if benchmark.agrees {
      guard found == expected, found.failures == 0, tables.memory.digest() == expectedTables else {
        throw .disagreement(benchmark.name)
      }
    }
    var times: [Double] = []
    var twinTimes: [Double] = []
    // The leaves carry A and D from now on, so the checksum of every further run is another one.
    var settled: WalkLoop.Tally?
    let clock = ContinuousClock()
    for round in 0..<rounds {
      for turn in 0..<2 {
        let isProgram = (round + turn) % 2 == 0
        let start = clock.now
        let tally = isProgram ? benchmark.program(loop, tables) : benchmark.twin(loop, tables)
        let time = (clock.now - start) / .nanoseconds(1) / Double(loop.count)
        if benchmark.agrees, tally.failures != 0 || tally != settled ?? tally {
          throw .disagreement(benchmark.name)
        }
        settled = tally
        if isProgram { times.append(time) } else { twinTimes.append(time) }
      }
    }
    return BenchmarkResult(
      name: benchmark.name, baseline: benchmark.baseline, times: times, baselineTimes: twinTimes)
  }
}
