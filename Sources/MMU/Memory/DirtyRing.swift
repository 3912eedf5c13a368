import Paging
import Synchronization

/// One entry of a dirty ring.
public struct DirtyRingEntry: Sendable, Hashable {
  /// The slot's number.
  public let slot: Int
  /// The frame, counted from the slot's first.
  public let offset: UInt64
}

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

/// The page-modification log of one vCPU: 512 guest physical addresses, filled from index 511 down.
///
/// **Source** Intel SDM Vol. 3C, "Page-Modification Logging".
@usableFromInline
final class ModificationLog: Sendable {
  private struct State {
    var addresses = InlineArray<512, UInt64>(repeating: 0)
    var index: UInt16 = 511
    var space = AddressSpace.normal
  }

  private let state = Guarded(State())

  /// Whether nothing is logged.
  var isEmpty: Bool { state.withLock { $0.index == 511 } }

  /// Whether no place is left: the index has passed 0.
  var isFull: Bool { state.withLock { $0.index > 511 } }

  /// Logs an address, bits 11:0 cleared. **Requires** that the log is not full.
  ///
  /// Called after D is set: an address that were taken out before would be clean with D set.
  func log(_ gpa: GPA) {
    state.withLock { state in
      precondition(state.index <= 511, "a write past a full log")
      state.addresses[Int(state.index)] = gpa.rawValue & ~0xFFF
      state.index &-= 1
    }
  }

  /// Feeds what is logged.
  func hash(into hasher: inout Hasher) {
    state.withLock { state in
      for index in Int(state.index &+ 1)..<512 { hasher.combine(state.addresses[index]) }
      hasher.combine(state.space)
    }
  }

  /// What is logged from now on is written in a space. **Requires** that the log is empty.
  func begin(_ space: AddressSpace) { state.withLock { $0.space = space } }

  /// Takes all addresses, oldest first, with the space that they were written in, and begins at 511
  /// again.
  func drain() -> (addresses: [GPA], space: AddressSpace) {
    state.withLock { state in
      let first = Int(state.index &+ 1)
      var result: [GPA] = []
      for index in stride(from: 511, through: first, by: -1) {
        result.append(GPA(state.addresses[index]))
      }
      state.index = 511
      return (result, state.space)
    }
  }
}
