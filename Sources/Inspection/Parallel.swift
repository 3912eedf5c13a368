import Dispatch
import FoundationEssentials
import Synchronization

/// Work on all cores with results in order.
public enum Parallel {
  /// How many cores there are for the work.
  public static var width: Int { max(ProcessInfo.processInfo.activeProcessorCount, 1) }

  /// The results of `count` pieces of work, in their order; each runs once, on any thread.
  public static func map<Value: Sendable>(
    _ count: Int, _ body: @Sendable (Int) -> Value
  ) -> [Value] {
    if count < 2 || width < 2 { return (0..<max(count, 0)).map(body) }
    let results = Mutex([Value?](repeating: nil, count: count))
    DispatchQueue.concurrentPerform(iterations: count) { index in
      let value = body(index)
      results.withLock { $0[index] = value }
    }
    return results.withLock { $0.compactMap(\.self) }
  }

  /// Cuts a count into at most `pieces` ranges of nearly equal length.
  public static func ranges(_ count: Int, pieces: Int) -> [Range<Int>] {
    let pieces = min(max(pieces, 1), max(count, 1))
    return (0..<pieces).map { count * $0 / pieces..<count * ($0 + 1) / pieces }
  }
}
