/// The states of a race that were seen, and which threads are still to go on from them.
///
/// Not every thread has to: a *persistent set* is enough, whose next steps meet nothing that the others
/// may do before them; and a thread *sleeps* where its step was taken before, in an order that makes no
/// difference.
///
/// **Source** Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems" (1996): the
/// persistent-set search with sleep sets and state matching. What the others may do is learnt from
/// the runs; a state is looked at again when more of it is known.
struct StateGraph {
  struct Node {
    /// The state before, and who took the step from it.
    let parent: Int
    let thread: Int
    let moments: [Int]
    let alive: ThreadSet
    let ready: ThreadSet
    var asleep: ThreadSet
    /// Threads that slept once, and that a later way here wants.
    var woken = ThreadSet()
    var done = ThreadSet()
    /// Who slept when each of `done` went on.
    var asleepThen: [(thread: Int, asleep: ThreadSet)] = []
  }

  private(set) var nodes: [Node] = []
  private var index: [Fingerprint: Int] = [:]
  /// States to look at, the last first.
  private var candidates: [Int] = []
  private var lastVersion = 0

  var isEmpty: Bool { nodes.isEmpty }

  /// The node of a state seen before.
  func node(of state: Fingerprint) -> Int? { index[state] }

  /// Adds a state.
  mutating func add(_ node: Node, _ state: Fingerprint) -> Int {
    nodes.append(node)
    index[state] = nodes.count - 1
    candidates.append(nodes.count - 1)
    return nodes.count - 1
  }

  /// A state is reached on another way.
  mutating func reach(_ node: Int, asleep: ThreadSet) {
    let woken = nodes[node].asleep.subtracting(asleep)
    if woken.isEmpty { return }
    nodes[node].asleep = nodes[node].asleep.intersection(asleep)
    nodes[node].woken = nodes[node].woken.union(woken)
    candidates.append(node)
  }

  /// The threads from the beginning to a state.
  func path(to node: Int) -> [Int] {
    var threads: [Int] = []
    var node = node
    while nodes[node].parent >= 0 {
      threads.append(nodes[node].thread)
      node = nodes[node].parent
    }
    return threads.reversed()
  }

  /// A state from which somebody has still to go on; `nil` where all is seen.
  mutating func nextCandidate(_ histories: [ThreadHistories]) -> (node: Int, thread: Int)? {
    while true {
      while let node = candidates.last {
        if let thread = pending(node, histories, preferring: nodes[node].thread) {
          return (node, thread)
        }
        candidates.removeLast()
      }
      let version = histories.reduce(0) { $0 + $1.version }
      if version == lastVersion { return nil }
      lastVersion = version
      candidates = Array(nodes.indices)
    }
  }

  /// Who goes on from a state next; `nil` where nobody has to.
  func pending(_ node: Int, _ histories: [ThreadHistories], preferring thread: Int) -> Int? {
    let node = nodes[node]
    if node.ready.isEmpty { return nil }
    let woken = node.woken.subtracting(node.done).intersection(node.ready)
    let left = Self.persistentSet(node, histories).union(woken)
    if left.contains(thread) { return thread }
    return left.first
  }

  /// Notes that a thread goes on from a state.
  ///
  /// - Returns: who sleeps after it.
  mutating func expand(
    _ index: Int, by thread: Int, _ histories: [ThreadHistories]
  ) -> ThreadSet {
    let node = nodes[index]
    var quiet = node.asleep
    for earlier in node.asleepThen where earlier.asleep == node.asleep {
      quiet.insert(earlier.thread)
    }
    nodes[index].done.insert(thread)
    nodes[index].asleepThen.append((thread, node.asleep))
    guard let step = histories[thread].next(in: node.moments[thread]) else { return ThreadSet() }
    return ThreadSet(node.moments.indices) { other in
      guard other != thread, quiet.contains(other),
        let next = histories[other].next(in: node.moments[other])
      else { return false }
      return !next.conflicts(with: step)
    }
  }

  /// Of the persistent sets of a state that with the fewest threads left to go on: these threads.
  private static func persistentSet(_ node: Node, _ histories: [ThreadHistories]) -> ThreadSet {
    var best: (left: ThreadSet, size: Int)?
    for seed in node.ready {
      let set = closure(of: seed, node, histories)
      let left = set.intersection(node.ready).subtracting(node.asleep).subtracting(node.done)
      if best.map({ (left.count, set.count) < ($0.left.count, $0.size) }) ?? true {
        best = (left, set.count)
      }
    }
    return best?.left ?? ThreadSet()
  }

  private static func closure(
    of seed: Int, _ node: Node, _ histories: [ThreadHistories]
  ) -> ThreadSet {
    var set = ThreadSet(seed)
    var unseen = set
    while let thread = unseen.first {
      unseen = unseen.subtracting(ThreadSet(thread))
      // Whoever could end its wait may be anybody.
      guard node.ready.contains(thread),
        let step = histories[thread].next(in: node.moments[thread])
      else { return node.alive }
      for other in node.alive.subtracting(set)
      where histories[other].mayConflict(with: step, from: node.moments[other]) {
        set.insert(other)
        unseen.insert(other)
      }
    }
    return set
  }
}
