internal import CBenchTwin
import Paging
import X86Guest

/// A benchmark of the walk: its name, its data, and both sides' loops.
struct WalkBenchmark {
  /// One run over the tables.
  typealias Side = (WalkLoop, borrowing GuestTables) -> WalkLoop.Tally

  var name: String
  var shape: GuestTables.Shape
  /// Walks per round.
  var count: Int
  /// What the baseline is called in results.
  var baseline = "c"
  /// Whether both sides compute the same and must agree.
  var agrees = true
  var program: Side
  var twin: Side

  private init(
    _ name: String, _ shape: GuestTables.Shape, count: Int = 1 << 18, _ work: cbt_work,
    _ pattern: cbt_pattern, _ program: @escaping Side
  ) {
    self.name = name
    self.shape = shape
    self.count = count
    self.program = program
    twin = { loop, tables in loop.runTwin(tables.setup, work, pattern, in: tables.memory) }
    if work == CBT_LOADS {
      baseline = "loads"
      agrees = false
    }
  }

  /// A benchmark of batches; the baseline is the library's own walk, one address after the other.
  private init(batch name: String, _ shape: GuestTables.Shape) {
    self.name = name
    self.shape = shape
    count = 1 << 17
    baseline = "one-by-one"
    program = { loop, tables in
      guard case .long4(let regime) = tables.regime else { return WalkLoop.Tally() }
      return loop.runBatch(regime, isBatch: true, in: tables.memory)
    }
    twin = { loop, tables in
      guard case .long4(let regime) = tables.regime else { return WalkLoop.Tally() }
      return loop.runBatch(regime, isBatch: false, in: tables.memory)
    }
  }

  /// A benchmark of paging-structure caches; the baseline is the same walk without.
  private init<Pattern: AddressPattern>(cached name: String, _ pattern: Pattern.Type) {
    self.name = name
    shape = .long4
    count = 1 << 17
    baseline = "uncached"
    func side(_ isCached: Bool) -> Side {
      { loop, tables in
        guard case .long4(let regime) = tables.regime else { return WalkLoop.Tally() }
        return loop.runCached(regime, pattern, isCached: isCached, in: tables.memory)
      }
    }
    program = side(true)
    twin = side(false)
  }

  /// A loop over the regime of the tables' own mode, the mode known where the loop is compiled.
  @inline(__always)
  private static func specialised<Strategy: WalkStrategy, Pattern: AddressPattern>(
    _ strategy: Strategy, _ pattern: Pattern.Type
  ) -> Side {
    { loop, tables in
      switch tables.regime {
      case .none: WalkLoop.Tally()
      case .legacy32(let regime): loop.run(regime, strategy, pattern, in: tables.memory)
      case .pae(let regime): loop.run(regime, strategy, pattern, in: tables.memory)
      case .long4(let regime): loop.run(regime, strategy, pattern, in: tables.memory)
      case .long5(let regime): loop.run(regime, strategy, pattern, in: tables.memory)
      }
    }
  }

  /// Every benchmark of the walk, in the order of the table.
  static var all: [WalkBenchmark] {
    let plainRandom = specialised(Probe(), RandomPattern.self)
    let plainLatency = specialised(Probe(), LatencyPattern.self)
    let checkedRandom = specialised(Commit(), RandomPattern.self)
    let long = 1 << 16
    return [
      WalkBenchmark("walk.plain.random", .long4, CBT_PLAIN, CBT_RANDOM, plainRandom),
      WalkBenchmark(
        "walk.plain.sequential", .long4, CBT_PLAIN, CBT_SEQUENTIAL,
        specialised(Probe(), SequentialPattern.self)),
      WalkBenchmark("walk.checked.random", .long4, CBT_CHECKED, CBT_RANDOM, checkedRandom),
      WalkBenchmark(
        "walk.checked.sequential", .long4, CBT_CHECKED, CBT_SEQUENTIAL,
        specialised(Commit(), SequentialPattern.self)),
      WalkBenchmark(
        "walk.plain.random.latency", .long4, count: long, CBT_PLAIN, CBT_LATENCY, plainLatency),
      WalkBenchmark(
        "walk.checked.random.latency", .long4, count: long, CBT_CHECKED, CBT_LATENCY,
        specialised(Commit(), LatencyPattern.self)),
      WalkBenchmark(
        "walk.checked.random.64g", .long4Large, count: long, CBT_CHECKED, CBT_RANDOM,
        checkedRandom),
      WalkBenchmark(batch: "walk.batch16.random", .long4),
      WalkBenchmark(batch: "walk.batch16.random.64g", .long4Large),
      WalkBenchmark(cached: "walk.cached.random", RandomPattern.self),
      WalkBenchmark(cached: "walk.cached.sequential", SequentialPattern.self),
      WalkBenchmark("walk.legacy32.random", .legacy32, CBT_CHECKED, CBT_RANDOM, checkedRandom),
      WalkBenchmark("walk.pae.random", .pae, CBT_CHECKED, CBT_RANDOM, checkedRandom),
      WalkBenchmark("walk.long5.random", .long5, CBT_CHECKED, CBT_RANDOM, checkedRandom),
      WalkBenchmark("walk.regime.random", .long4, CBT_CHECKED, CBT_RANDOM) { loop, tables in
        loop.run(tables.regime, Commit(), RandomPattern.self, in: tables.memory)
      },
      WalkBenchmark("walk.call.random", .long4, CBT_CHECKED_CALL, CBT_RANDOM) { loop, tables in
        guard case .long4(let regime) = tables.regime else { return WalkLoop.Tally() }
        return loop.run(
          OutOfLine(base: regime), Commit(), RandomPattern.self, in: tables.memory)
      },
      WalkBenchmark("walk.limit.random", .long4, CBT_LOADS, CBT_RANDOM, plainRandom),
      WalkBenchmark(
        "walk.limit.random.latency", .long4, count: long, CBT_LOADS, CBT_LATENCY, plainLatency),
    ]
  }
}
