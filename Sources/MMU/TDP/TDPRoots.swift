import Paging
import Synchronization

/// The root tables of a TDP MMU, counted.
///
/// The MMU holds one reference on the root in force and each vCPU one on the root it uses. A root
/// that is replaced stays whole until the last vCPU has left it, so nobody walks a freed table.
final class TDPRoots: Sendable {
  private struct State {
    var current: PFN
    var references: [PFN: Int]
  }

  private let state: Mutex<State>
  /// Counts replacements, so that a vCPU sees one without a lock.
  let epoch = Atomic<UInt64>(0)

  init(_ root: PFN) { state = Mutex(State(current: root, references: [root: 1])) }

  /// Takes a reference on the root in force.
  func take() -> (root: PFN, epoch: UInt64) {
    state.withLock { state in
      state.references[state.current, default: 0] += 1
      return (state.current, epoch.load(ordering: .acquiring))
    }
  }

  /// Gives a reference back.
  ///
  /// - Returns: whether it was the last, so that the caller frees the tables.
  func drop(_ root: PFN) -> Bool {
    state.withLock { Self.drop(root, in: &$0) }
  }

  /// Puts a new root in force.
  ///
  /// - Returns: the old root where nobody uses it any more.
  func replace(by root: PFN) -> PFN? {
    state.withLock { state in
      let old = state.current
      state.current = root
      state.references[root] = 1
      epoch.add(1, ordering: .acquiringAndReleasing)
      return Self.drop(old, in: &state) ? old : nil
    }
  }

  /// The roots that somebody holds.
  var referenced: [PFN] {
    state.withLock { $0.references.keys.sorted { $0.rawValue < $1.rawValue } }
  }

  /// Whether a root is the one in force.
  func isCurrent(_ root: PFN) -> Bool { state.withLock { $0.current == root } }

  private static func drop(_ root: PFN, in state: inout State) -> Bool {
    let count = state.references[root, default: 1] - 1
    state.references[root] = count == 0 ? nil : count
    return count == 0
  }
}
