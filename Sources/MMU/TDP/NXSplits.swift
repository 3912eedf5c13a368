public import Paging
import Synchronization

/// The tables that exist only because large pages may not be executed, oldest first.
@usableFromInline
final class NXSplits: Sendable {
  /// One table.
  struct Split: Sendable {
    let table: PFN
    /// The frames that it maps.
    let frames: Range<GFN>
  }

  private struct State {
    /// By their number, which grows.
    var splits: [UInt64: Split] = [:]
    var numbers: [PFN: UInt64] = [:]
    var next: UInt64 = 0
    var counts = NXHugePageCounts()
  }

  private let state = Guarded(State())
  /// As many as there are, so that who frees a table need not ask under the lock.
  private let count = Atomic<Int>(0)

  /// How often its lock was taken.
  var lockUses: UInt64 { state.uses }

  /// Adds a table that was linked just now.
  func add(_ table: PFN, mapping frames: Range<GFN>) {
    state.withLock { state in
      state.splits[state.next] = Split(table: table, frames: frames)
      state.numbers[table] = state.next
      state.next += 1
      state.counts.made += 1
      count.store(state.splits.count, ordering: .releasing)
    }
  }

  /// Forgets a table that goes; nothing where it was none of these.
  @usableFromInline
  func remove(_ table: PFN) {
    if count.load(ordering: .acquiring) == 0 { return }
    state.withLock { state in
      guard let number = state.numbers.removeValue(forKey: table) else { return }
      state.splits[number] = nil
      count.store(state.splits.count, ordering: .releasing)
    }
  }

  /// Notes that a recovery gave one back.
  func noteRecovery() { state.withLock { $0.counts.recovered += 1 } }

  /// Whether a table is one of these.
  func contains(_ table: PFN) -> Bool {
    count.load(ordering: .acquiring) > 0 && state.withLock { $0.numbers[table] != nil }
  }

  /// All of them, oldest first.
  var oldestFirst: [Split] {
    state.withLock { state in state.splits.sorted { $0.key < $1.key }.map(\.value) }
  }

  /// How many there are and were.
  var counts: NXHugePageCounts {
    state.withLock { state in
      var counts = state.counts
      counts.current = state.splits.count
      return counts
    }
  }

  /// Puts others in their place, oldest first.
  func replace(by splits: [Split]) {
    state.withLock { state in
      state.splits = [:]
      state.numbers = [:]
      for split in splits {
        state.splits[state.next] = split
        state.numbers[split.table] = state.next
        state.next += 1
      }
      count.store(splits.count, ordering: .releasing)
    }
  }
}
