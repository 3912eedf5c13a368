import Paging

/// The schedules run so far, as the path to the last one and what is still to be tried along it.
final class ScheduleTree {
  /// One choice.
  private struct Node {
    /// What each thread was about to do.
    var steps: [Turns.Step?]
    var ready: [Int]
    var chosen: Int
    /// Threads to try here, those tried included.
    var wanted: Set<Int>
    var tried: Set<Int>
    /// Threads whose step here was tried before, in an order that makes no difference.
    var asleep: Set<Int>
  }

  private var path: [Node] = []
  private var depth = 0
  /// Whether the run only repeats another.
  private(set) var isRedundant = false
  /// How the run differs from the one it was to repeat: then a race is not the same each time.
  private(set) var divergence: String?

  /// The schedule of the last run, as far as it was chosen here.
  var schedule: Schedule { Schedule(path.prefix(depth).map(\.chosen)) }

  /// Begins another run.
  func begin() {
    depth = 0
    isRedundant = false
  }

  /// The thread that goes on.
  func choose(_ choice: Turns.Choice) -> Int {
    guard !isRedundant, divergence == nil else { return Schedule.usual(choice) }
    if depth < path.count {
      guard path[depth].steps == choice.steps, choice.ready.contains(path[depth].chosen) else {
        divergence = "step \(depth + 1) is not what it was in an earlier run"
        return Schedule.usual(choice)
      }
      depth += 1
      return path[depth - 1].chosen
    }
    let asleep = sleepers()
    let awake = choice.ready.filter { !asleep.contains($0) }
    guard let first = awake.first else {
      isRedundant = true
      return Schedule.usual(choice)
    }
    let chosen = awake.contains(choice.last) ? choice.last : first
    path.append(
      Node(
        steps: choice.steps, ready: choice.ready, chosen: chosen, wanted: [chosen],
        tried: [chosen], asleep: asleep))
    depth += 1
    return chosen
  }

  /// Who sleeps after the last choice: those who slept or were tried before it and whose steps have
  /// nothing to do with the one chosen.
  private func sleepers() -> Set<Int> {
    guard let last = path.last, let step = last.steps[last.chosen] else { return [] }
    return last.asleep.union(last.tried).filter { thread in
      guard thread != last.chosen, let other = last.steps[thread] else { return false }
      return !other.conflicts(with: step)
    }
  }

  /// Puts down the other order of every two steps of the last run that conflict and that nothing else
  /// ordered.
  func noteRaces() {
    guard let count = path.first?.steps.count else { return }
    // By thread: the last step of each thread that comes before its next one in every order.
    var clocks = [[Int]](repeating: [Int](repeating: -1, count: count), count: count)
    var places: [SharedPlace: PlaceHistory] = [:]
    for index in path.indices {
      let thread = path[index].chosen
      guard let step = path[index].steps[thread] else { continue }
      var clock = clocks[thread]
      if let place = step.place {
        var history = places[place] ?? PlaceHistory()
        noteRaces(of: thread, step, clock, history)
        history.join(&clock, isChange: step.isChange)
        clock[thread] = index
        history.add(index, clock, isChange: step.isChange)
        places[place] = history
      }
      clock[thread] = index
      clocks[thread] = clock
    }
  }

  /// Looks back from a step for those that it could have come before.
  ///
  /// A step that waits could not come right before the one that ended its wait, so for such a step the
  /// search goes on, to where the wait had not begun to be needed.
  private func noteRaces(
    of thread: Int, _ step: Turns.Step, _ clock: [Int], _ history: PlaceHistory
  ) {
    for earlier in history.accesses.reversed() where earlier.isChange || step.isChange {
      let node = path[earlier.index]
      if clock[node.chosen] >= earlier.index {
        if earlier.isChange { return }
        continue
      }
      if node.ready.contains(thread) {
        path[earlier.index].wanted.insert(thread)
        if earlier.isChange, !step.waits { return }
      } else {
        path[earlier.index].wanted.formUnion(node.ready)
      }
    }
  }

  /// Goes back to the last choice with something left to try.
  ///
  /// - Returns: false where nothing is left.
  func backtrack() -> Bool {
    while let node = path.last {
      let left = node.wanted.subtracting(node.tried).subtracting(node.asleep)
      if let next = left.min() {
        path[path.count - 1].chosen = next
        path[path.count - 1].tried.insert(next)
        return true
      }
      path.removeLast()
    }
    return false
  }

  /// The accesses to one place, and what comes before a next one in every order.
  private struct PlaceHistory {
    var accesses: [(index: Int, isChange: Bool)] = []
    private var changeClock: [Int]?
    /// Since the last change.
    private var readClocks: [[Int]] = []

    func join(_ clock: inout [Int], isChange: Bool) {
      let earlier = (changeClock.map { [$0] } ?? []) + (isChange ? readClocks : [])
      for other in earlier {
        for index in clock.indices { clock[index] = max(clock[index], other[index]) }
      }
    }

    mutating func add(_ index: Int, _ clock: [Int], isChange: Bool) {
      accesses.append((index, isChange))
      if isChange {
        changeClock = clock
        readClocks = []
      } else {
        readClocks.append(clock)
      }
    }
  }
}
