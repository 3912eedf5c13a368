import Paging
import Synchronization

/// The pages that one vCPU wrote, in the order of their first write (SPEC T3).
///
/// An entry is pushed by the vCPU, harvested by the reader, and reset when its page is protected
/// again; only then is its place free.
public final class DirtyRing: Sendable {
  private struct State {
    /// Pushed and not reset, oldest first.
    var entries: [DirtyRingEntry] = []
    /// How many of them are harvested.
    var harvested = 0
  }

  /// **Units** entries.
  public let size: Int
  /// The vCPU exits before it enters the guest with this many entries. **Units** entries.
  public let softLimit: Int
  private let state = Guarded(State())
  private let used = Atomic<Int>(0)

  /// The entries kept free for what one exit may still push. **Units** entries.
  public static var reserved: Int { 64 }

  init(size: Int) {
    self.size = size
    softLimit = size - Self.reserved
  }

  /// Entries in use. **Units** entries.
  public var count: Int { used.load(ordering: .acquiring) }

  /// Whether the vCPU must exit.
  public var isSoftFull: Bool { count >= softLimit }

  /// Feeds the entries.
  func hash(into hasher: inout Hasher) {
    state.withLock { state in
      hasher.combine(state.entries)
      hasher.combine(state.harvested)
    }
  }

  /// Adds an entry.
  ///
  /// - Returns: false where the ring is full.
  func push(_ entry: DirtyRingEntry) -> Bool {
    state.withLock { state in
      guard state.entries.count < size else { return false }
      if state.entries.last == entry, state.harvested < state.entries.count { return true }
      state.entries.append(entry)
      used.store(state.entries.count, ordering: .releasing)
      return true
    }
  }

  /// The entries that were not harvested yet; they stay in use until reset.
  func harvest() -> [DirtyRingEntry] {
    state.withLock { state in
      defer { state.harvested = state.entries.count }
      // Its own memory: an array of the whole would share the ring's until somebody pushes.
      return state.entries[state.harvested...].map { $0 }
    }
  }

  /// Frees the places of harvested entries.
  ///
  /// - Returns: those entries, whose pages the caller protects again.
  func takeHarvested() -> [DirtyRingEntry] {
    state.withLock { state in
      // As in `harvest`: memory of its own.
      let taken = state.entries[..<state.harvested].map { $0 }
      state.entries.removeFirst(state.harvested)
      state.harvested = 0
      used.store(state.entries.count, ordering: .releasing)
      return taken
    }
  }
}
