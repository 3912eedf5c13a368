import TestSupport
import Testing

/// The judge of the stress test, judged.
@Suite("Register histories")
struct RegisterHistoryTests {
  typealias Operation = RegisterHistory.Operation

  static func write(_ value: UInt64, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(isWrite: true, value: value, start: start, end: end)
  }
  static func read(_ value: UInt64, _ start: UInt64, _ end: UInt64) -> Operation {
    Operation(isWrite: false, value: value, start: start, end: end)
  }

  static let good: [[Operation]] = [
    [],
    [read(0, 1, 2), write(1, 3, 4), read(1, 5, 6)],
    // A write under way may be seen or not, by two readers in either order.
    [write(1, 1, 10), read(0, 2, 3), read(1, 4, 5)],
    // Two writes side by side, seen in one order by all.
    [write(1, 1, 10), write(2, 2, 9), read(2, 3, 4), read(1, 5, 6)],
  ]
  static let bad: [([Operation], String)] = [
    ([read(5, 1, 2)], "never written"),
    ([read(1, 1, 2), write(1, 3, 4)], "before it is written"),
    ([write(1, 1, 2), read(0, 3, 4)], "no place"),
    // Seen, then gone: two readers disagree about the order.
    ([write(1, 1, 10), read(1, 2, 3), read(0, 4, 5)], "no place"),
    // Back to an older value.
    ([write(1, 1, 2), write(2, 3, 4), read(1, 5, 6)], "no place"),
    ([write(1, 1, 2), write(2, 3, 4), read(2, 5, 6), read(1, 7, 8)], "there while"),
    // A lost write.
    ([write(1, 1, 2), write(2, 3, 4), read(1, 5, 6), read(1, 7, 8)], "no place"),
    ([write(1, 1, 2), write(1, 3, 4)], "twice"),
  ]

  @Test("histories that an order explains pass", arguments: good)
  func explained(history: [Operation]) {
    #expect(RegisterHistory(history).breach() == nil)
  }

  @Test("lost, early and old values are found", arguments: bad)
  func unexplained(history: [Operation], reason: String) throws {
    let breach = try #require(RegisterHistory(history).breach())
    #expect(breach.contains(reason), "\(breach)")
  }

  /// Whether some order of all operations explains them: all orders are tried.
  static func isExplained(_ left: [Operation], _ held: UInt64) -> Bool {
    if left.isEmpty { return true }
    let firstEnd = left.map(\.end).min() ?? 0
    return left.indices.contains { index in
      let operation = left[index]
      guard operation.start < firstEnd || operation.end == firstEnd,
        operation.isWrite || operation.value == held
      else { return false }
      var rest = left
      rest.remove(at: index)
      return isExplained(rest, operation.isWrite ? operation.value : held)
    }
  }

  typealias Reset = RegisterHistory.Reset

  static let goodResets: [([Operation], [Reset])] = [
    ([write(1, 1, 2), read(0, 5, 6)], [Reset(start: 3, end: 4)]),
    ([write(1, 1, 2), read(1, 3, 8), read(0, 5, 6)], [Reset(start: 4, end: 7)]),
    ([read(0, 1, 2), write(1, 3, 4), read(1, 5, 6)], [Reset(start: 7, end: 8)]),
  ]
  static let badResets: [([Operation], [Reset], String)] = [
    // A value that outlives the reset.
    ([write(1, 1, 2), read(1, 5, 6)], [Reset(start: 3, end: 4)], "outlives"),
    // A write that was lost after the reset, or before it began.
    ([write(1, 3, 4), read(0, 5, 6)], [Reset(start: 1, end: 2)], "no reset explains"),
    ([write(1, 1, 2), read(0, 3, 4)], [Reset(start: 5, end: 6)], "no reset explains"),
    (
      [write(1, 3, 4), read(1, 5, 8), read(0, 6, 7), read(1, 9, 10)], [Reset(start: 1, end: 2)],
      "no reset explains"
    ),
    ([read(5, 1, 2)], [Reset(start: 3, end: 4)], "never written"),
  ]

  @Test("resets that an order explains pass", arguments: goodResets)
  func explainedResets(history: [Operation], resets: [Reset]) {
    #expect(RegisterHistory(history, resets: resets).breach() == nil)
  }

  @Test(
    "values that outlive a reset, and zeroes that none explains, are found", arguments: badResets)
  func unexplainedResets(history: [Operation], resets: [Reset], reason: String) throws {
    let breach = try #require(RegisterHistory(history, resets: resets).breach())
    #expect(breach.contains(reason), "\(breach)")
  }

  @Test("random histories with resets: none that an order explains is accused, most others are")
  func resetsAgainstAllOrders() {
    var (passed, found, missed) = (0, 0, 0)
    for seed in 0..<6000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let writes = 1 + random.below(2)
      let resets = 1 + random.below(2)
      let count = writes + resets + 1 + random.below(3)
      let times = Array(1...UInt64(count * 2)).shuffled(using: &random)
      // A reset is a write of 0.
      let all = (0..<count).map { index in
        let (one, two) = (times[index * 2], times[index * 2 + 1])
        let value =
          index < writes ? index + 1 : index < writes + resets ? 0 : random.below(writes + 1)
        return Operation(
          isWrite: index < writes + resets, value: UInt64(value), start: min(one, two),
          end: max(one, two))
      }
      let history = RegisterHistory(
        all.filter { !($0.isWrite && $0.value == 0) },
        resets: all.filter { $0.isWrite && $0.value == 0 }.map {
          Reset(start: $0.start, end: $0.end)
        })
      switch (Self.isExplained(all, 0), history.breach()) {
      case (true, let breach):
        #expect(breach == nil, "seed \(seed)")
        passed += 1
      case (false, nil): missed += 1
      case (false, _?): found += 1
      }
    }
    #expect(passed > 500 && found > 500 && missed * 10 < found, "\((passed, found, missed))")
  }

  @Test("random histories are judged as by trying every order")
  func againstAllOrders() {
    var (passed, failed) = (0, 0)
    for seed in 0..<6000 as Range<UInt64> {
      var random = SeededGenerator(seed: seed)
      let writes = 1 + random.below(3)
      let count = writes + 1 + random.below(4)
      let times = Array(1...UInt64(count * 2)).shuffled(using: &random)
      let operations = (0..<count).map { index in
        let (one, two) = (times[index * 2], times[index * 2 + 1])
        return Operation(
          isWrite: index < writes,
          value: UInt64(index < writes ? index + 1 : random.below(writes + 1)),
          start: min(one, two), end: max(one, two))
      }
      let expected = Self.isExplained(operations, 0)
      #expect((RegisterHistory(operations).breach() == nil) == expected, "seed \(seed)")
      if expected { passed += 1 } else { failed += 1 }
    }
    #expect(passed > 500 && failed > 500)
  }
}
