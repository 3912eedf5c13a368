import Dispatch
package import Paging

/// Lets one of several threads run at a time, and asks at every step which.
///
/// Each step is announced before it is taken, with what it touches. Turns are for one run: before and
/// after it, while its machine is set up, checked and given up, nobody waits.
package final class Turns: MMUPacing, @unchecked Sendable {
  /// One step that a thread is about to take.
  struct Step: Sendable, Hashable {
    /// What it touches; `nil` for the first of a thread, which touches nothing.
    var place: SharedPlace?
    var isChange: Bool
    /// Whether it is not taken before others have changed the place.
    var waits = false
    /// Whether the thread learns nothing of what the place held.
    var isBlind = false
  }

  /// What the choice of the next thread is made from.
  struct Choice {
    /// What each thread does next; `nil` where it has ended.
    var steps: [Step?]
    /// The threads that need not wait, in ascending order; none where all wait for one another, and the
    /// answer is of no account.
    var ready: [Int]
    /// Who took the last step.
    var last: Int
  }

  /// What became of one run.
  enum Ending: Sendable, Hashable {
    case complete
    /// All who are left wait for one another.
    case deadlock(waiting: [Int])
    /// Not at an end after so many steps.
    case endless(steps: Int)
  }

  private struct Waiting {
    var step: Step
    var condition: (() -> Bool)?
  }

  /// A vCPU's access to the guest's data.
  struct Access {
    var place: SharedPlace
    var isWrite: Bool
  }

  /// The most steps of one run.
  static var stepLimit: Int { 50_000 }

  private let queues: [DispatchQueue]
  private let turns: [DispatchSemaphore]
  private let end = DispatchSemaphore(value: 0)
  // Guarded by the turn: one thread runs at a time, and handing the turn on orders its accesses.
  private var waiting: [Waiting?] = []
  private var current = -1
  private var isRunning = false
  private var accesses: [Int: Access] = [:]
  private var steps = 0
  private var ending = Ending.complete
  private var choose: (Choice) -> Int = { $0.last }

  /// Turns for at most so many threads.
  package init(threads: Int) {
    queues = (0..<threads).map { DispatchQueue(label: "schedule thread \($0)") }
    turns = (0..<threads).map { _ in DispatchSemaphore(value: 0) }
  }

  /// They are not.
  package static var isFree: Bool { false }

  package func step(_ place: SharedPlace, isChange: Bool) {
    pause(Waiting(step: Step(place: place, isChange: isChange), condition: nil))
  }

  /// As `step(_:isChange:)`, before a store that takes no notice of what was there.
  package func store(_ place: SharedPlace) {
    pause(Waiting(step: Step(place: place, isChange: true, isBlind: true), condition: nil))
  }

  package func wait(
    _ place: SharedPlace, isChange: Bool, until condition: @escaping () -> Bool
  ) {
    // Who only waits learns no more than that the wait is over.
    let step = Step(place: place, isChange: isChange, waits: true, isBlind: !isChange)
    pause(Waiting(step: step, condition: condition))
  }

  /// Says what data the vCPU's steps touch that this thread lets run in `body`.
  func accessing<R>(_ place: SharedPlace, isWrite: Bool, _ body: () -> R) -> R {
    guard isRunning else { return body() }
    let thread = current
    accesses[thread] = Access(place: place, isWrite: isWrite)
    defer { accesses[thread] = nil }
    return body()
  }

  /// Comes before the vCPU's access to the guest's data.
  func stepToData() {
    guard isRunning, let access = accesses[current] else { return }
    if access.isWrite { store(access.place) } else { step(access.place, isChange: false) }
  }

  /// Runs threads, one at a time, until all have ended.
  ///
  /// - Parameter choose: answers one of the ready threads.
  func run(_ bodies: [@Sendable () -> Void], choose: @escaping (Choice) -> Int) -> Ending {
    precondition(bodies.count <= turns.count && !bodies.isEmpty)
    waiting = bodies.map { _ in Waiting(step: Step(place: nil, isChange: false)) }
    self.choose = choose
    (steps, ending, current) = (0, .complete, 0)
    for (index, body) in bodies.enumerated() {
      queues[index].async { [self] in
        turns[index].wait()
        waiting[index] = nil
        body()
        handOn()
      }
    }
    isRunning = true
    handOn()
    end.wait()
    isRunning = false
    self.choose = { $0.last }
    return ending
  }

  private func pause(_ what: Waiting) {
    guard isRunning else { return }
    let own = current
    waiting[own] = what
    let next = nextThread()
    if next != own {
      if let next {
        current = next
        turns[next].signal()
      }
      turns[own].wait()
    }
    waiting[own] = nil
  }

  /// Gives the turn away for good.
  private func handOn() {
    guard let next = nextThread() else {
      end.signal()
      return
    }
    current = next
    turns[next].signal()
  }

  private func nextThread() -> Int? {
    let alive = waiting.indices.filter { waiting[$0] != nil }
    guard let first = alive.first else { return nil }
    steps += 1
    if ending == .complete, steps > Self.stepLimit { ending = .endless(steps: steps) }
    // A run that failed is let to its end, in turn: its threads hold what nobody else can free.
    guard ending == .complete else { return alive.first { $0 > current } ?? first }
    let ready = alive.filter { waiting[$0]?.condition?() ?? true }
    let next = choose(Choice(steps: waiting.map { $0?.step }, ready: ready, last: current))
    guard ready.isEmpty else { return next }
    ending = .deadlock(waiting: alive)
    return first
  }
}
