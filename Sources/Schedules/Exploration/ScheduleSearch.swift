import Paging

/// Chooses who goes on, run after run, until every state that matters is seen.
final class ScheduleSearch {
  private enum Phase {
    /// On the way to a state from which somebody has still to go on.
    case repeating
    /// Where no run was before.
    case exploring
    /// On from a state that was seen, whatever the order.
    case leaving
  }

  private var places = PlaceNumbers()
  private var histories: [ThreadHistories]
  private var graph = StateGraph()
  private var ends: Set<Fingerprint> = []
  // The run under way.
  private var state: RaceState
  private var phase = Phase.exploring
  private var plan: [Int] = []
  private var target = -1
  private var parent = -1
  private var asleep = ThreadSet()
  private var taken: [Int] = []
  /// How the run differs from the one it was to repeat: then a race is not the same each time.
  private(set) var divergence: String?

  init(threads: Int) {
    histories = Array(repeating: ThreadHistories(), count: threads)
    state = RaceState(threads: threads) { _ in nil }
  }

  /// The schedule of the run, as far as it was chosen here.
  var schedule: Schedule { Schedule(taken) }

  /// How many states were seen, ends aside.
  var stateCount: Int { graph.nodes.count }

  /// Begins another run.
  ///
  /// - Parameter content: what a place holds now; `nil` where no word says it all.
  /// - Returns: false where nothing is left.
  func begin(content: @escaping (SharedPlace) -> UInt64?) -> Bool {
    state = RaceState(threads: histories.count, content: content)
    taken = []
    (parent, asleep, plan, target, phase) = (-1, ThreadSet(), [], -1, .exploring)
    if graph.isEmpty { return true }
    guard let (node, thread) = graph.nextCandidate(histories) else { return false }
    plan = graph.path(to: node) + [thread]
    target = node
    phase = .repeating
    return true
  }

  /// The thread that goes on.
  func choose(_ choice: Turns.Choice) -> Int {
    guard phase != .leaving, divergence == nil else { return Schedule.usual(choice) }
    state.settle(places)
    guard learn(choice) else { return diverge(choice) }
    if choice.ready.isEmpty { return choice.last }
    let thread: Int
    if phase == .repeating {
      thread = plan[taken.count]
      guard choice.ready.contains(thread) else { return diverge(choice) }
      if taken.count == plan.count - 1 {
        guard graph.node(of: state.fingerprint) == target else { return diverge(choice) }
        asleep = graph.expand(target, by: thread, histories)
        parent = target
        phase = .exploring
      }
    } else {
      if let known = graph.node(of: state.fingerprint) {
        graph.reach(known, asleep: asleep)
        phase = .leaving
        return Schedule.usual(choice)
      }
      let node = graph.add(
        StateGraph.Node(
          parent: parent, thread: taken.last ?? 0, moments: state.moments,
          alive: ThreadSet(choice.steps.indices) { choice.steps[$0] != nil },
          ready: ThreadSet(choice.steps.indices) { choice.ready.contains($0) }, asleep: asleep),
        state.fingerprint)
      guard let next = graph.pending(node, histories, preferring: choice.last) else {
        phase = .leaving
        return Schedule.usual(choice)
      }
      thread = next
      asleep = graph.expand(node, by: thread, histories)
      parent = node
    }
    taken.append(thread)
    if let next = histories[thread].next(in: state.moments[thread]) {
      state.take(next, by: thread, &histories[thread], places)
    }
    return thread
  }

  /// Whether the run came to an end that no other came to.
  func finish() -> Bool {
    guard phase != .leaving, divergence == nil else { return false }
    state.settle(places)
    return ends.insert(state.fingerprint).inserted
  }

  /// Takes down what each thread does next.
  private func learn(_ choice: Turns.Choice) -> Bool {
    for (thread, step) in choice.steps.enumerated() {
      let access = step.map {
        ThreadHistories.Access(
          place: $0.place.map { places[$0] }, isChange: $0.isChange, isBlind: $0.isBlind)
      }
      if !histories[thread].announce(access, in: state.moments[thread]) { return false }
    }
    return true
  }

  private func diverge(_ choice: Turns.Choice) -> Int {
    divergence = "step \(taken.count + 1) is not what it was in an earlier run"
    return Schedule.usual(choice)
  }
}
