import Paging
public import Synchronization

/// The root tables of a TDP MMU, counted.
///
/// The MMU holds one reference on each address space's root in force and each vCPU one on the root it
/// uses. A root
/// that is replaced stays whole until the last vCPU has left it, so nobody walks a freed table.
/// Each vCPU brings a spare page: with n vCPUs at most n roots are in use besides those in force, so a replacement never lacks a page.
@usableFromInline
final class TDPRoots: Sendable {
  /// The roots and who uses them.
  struct State {
    /// The root in force of each address space, by the space's number.
    var current: [PFN]
    /// Which space a root is of.
    var spaces: [PFN: AddressSpace]
    var references: [PFN: Int]
    var spares: [PFN] = []
    /// The era of each space's MMIO entries.
    var eras: [UInt64]
  }

  private let state: Guarded<State>
  /// Counts replacements, so that a vCPU sees one without a lock.
  @usableFromInline let epoch = Atomic<UInt64>(0)

  /// - Parameter roots: one for each address space.
  init(_ roots: [PFN]) {
    state = Guarded(
      State(
        current: roots,
        spaces: Dictionary(uniqueKeysWithValues: zip(roots, AddressSpace.allCases)),
        references: Dictionary(uniqueKeysWithValues: roots.map { ($0, 1) }),
        eras: roots.map { _ in 0 }))
  }

  /// Pages that wait to become roots. **Units** pages.
  var spareCount: Int { state.withLock { $0.spares.count } }

  /// Whether nobody has them lent.
  var isFree: Bool { state.isFree }

  /// Feeds what there is; while it is lent, that alone.
  func hash(into hasher: inout Hasher) {
    guard isFree else { return hasher.combine(true) }
    state.withLock { state in
      hasher.combine(state.current)
      hasher.combine(state.spaces)
      hasher.combine(state.references)
      hasher.combine(state.spares)
      hasher.combine(state.eras)
    }
  }

  /// How often its lock was taken.
  var lockUses: UInt64 { state.uses }

  /// Adds a page that waits to become a root.
  func add(spare: PFN) { state.withLock { $0.spares.append(spare) } }

  /// Takes a spare page away.
  func takeSpare() -> PFN? { state.withLock { $0.spares.popLast() } }

  /// Takes a reference on a space's root in force.
  ///
  /// - Returns: the root, the number of its replacement, and the era of its MMIO entries.
  func take(_ space: AddressSpace) -> (root: PFN, epoch: UInt64, era: UInt64) {
    state.withLock { state in
      let root = state.current[space.rawValue]
      state.references[root, default: 0] += 1
      return (root, epoch.load(ordering: .acquiring), state.eras[space.rawValue])
    }
  }

  /// Gives a reference back; after the last one the page becomes a spare.
  ///
  /// - Parameter empty: frees the tables below a root that nobody uses any more.
  func drop(_ root: PFN, emptying empty: (PFN) -> Void) {
    state.withLock { Self.drop(root, in: &$0, emptying: empty) }
  }

  /// Puts an empty root in force.
  ///
  /// - Parameters:
  ///   - space: whose root.
  ///   - era: the era of the MMIO entries to come.
  ///   - onlyLater: whether a root of this era or a later one may stay.
  ///   - empty: frees the tables below a root that nobody uses any more.
  ///   - prepare: fills a page with entries that map nothing.
  func replace(
    of space: AddressSpace, era: UInt64, onlyLater: Bool, emptying empty: (PFN) -> Void,
    _ prepare: (PFN) -> Void
  ) {
    state.withLock { state in
      let number = space.rawValue
      if onlyLater, state.eras[number] >= era { return }
      state.eras[number] = max(state.eras[number], era)
      let old = state.current[number]
      guard let root = state.spares.popLast() else {
        // Every other page is some vCPU's root, so no vCPU uses the one in force.
        empty(old)
        prepare(old)
        epoch.add(1, ordering: .acquiringAndReleasing)
        return
      }
      prepare(root)
      epoch.add(1, ordering: .acquiringAndReleasing)
      state.current[number] = root
      state.spaces[root] = space
      state.references[root] = 1
      Self.drop(old, in: &state, emptying: empty)
    }
  }

  /// The roots and who uses them now, and the number of their last replacement.
  var snapshot: (state: State, epoch: UInt64) {
    state.withLock { ($0, epoch.load(ordering: .acquiring)) }
  }

  /// Puts the roots back, whose pages hold again what they held.
  ///
  /// - Returns: the number of this replacement: whoever has another changes its root on entry.
  func restore(_ saved: State) -> UInt64 {
    state.withLock { state in
      state = saved
      return epoch.add(1, ordering: .acquiringAndReleasing).newValue
    }
  }

  /// Lends every root that is in force or that a vCPU still holds, with its space; none is freed or
  /// replaced meanwhile.
  func withRoots<R>(_ body: ([(root: PFN, space: AddressSpace)]) -> R) -> R {
    state.withLock { state in
      body(
        state.references.keys.sorted { $0.rawValue < $1.rawValue }
          .map { ($0, state.spaces[$0] ?? .normal) })
    }
  }

  /// Lends every root as `withRoots` does, with the number of spare pages.
  func withState<R>(_ body: ([PFN], Int) -> R) -> R {
    state.withLock {
      body($0.references.keys.sorted { $0.rawValue < $1.rawValue }, $0.spares.count)
    }
  }

  private static func drop(_ root: PFN, in state: inout State, emptying empty: (PFN) -> Void) {
    let count = state.references[root, default: 1] - 1
    state.references[root] = count == 0 ? nil : count
    guard count == 0 else { return }
    state.spaces[root] = nil
    empty(root)
    state.spares.append(root)
  }
}
