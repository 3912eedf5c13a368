import Paging
import Schedules
import Synchronization

/// A few threads with a few instructions each on a few cells: what the explorer is checked on against
/// every interleaving.
struct SmallProgram: Sendable, CustomStringConvertible {
  struct Instruction: Sendable {
    enum Kind: Sendable, CaseIterable {
      /// Learns what the cell holds.
      case load
      /// Puts in what the thread learnt last, and a number more.
      case store
      /// Adds a number, and learns what was there.
      case add
      /// Puts a number in the place of 0, and learns what was there.
      case claim
      /// Goes on when the cell is not 0.
      case await
    }

    var kind: Kind
    var cell: Int
    var number: Int
    /// Whether it is left out where what the thread learnt last is odd.
    var isConditional: Bool
  }

  var threads: [[Instruction]]
  static let cells = 3

  var description: String { "\(threads)" }

  /// A program at random.
  init(by generator: inout some RandomNumberGenerator) {
    let count = Int.random(in: 2...3, using: &generator)
    threads = (0..<count).map { _ in
      (0..<Int.random(in: 1...(count == 2 ? 5 : 3), using: &generator)).map { _ in
        // Few of them wait, or most programs come to nothing.
        let kinds = Instruction.Kind.allCases + [.load, .store, .add]
        return Instruction(
          kind: kinds.randomElement(using: &generator) ?? .load,
          cell: Int.random(in: 0..<Self.cells, using: &generator),
          number: Int.random(in: 1...2, using: &generator),
          isConditional: Int.random(in: 0..<4, using: &generator) == 0)
      }
    }
  }

  /// Where an interleaving ends: what each thread saw, and what is left in the cells.
  struct End: Hashable {
    var seen: [[Int]]
    var cells: [Int]
    var isStuck: Bool
  }

  /// The ends of all interleavings.
  ///
  /// - Parameter byOrder: whether threads see who changed a cell last, and not its number.
  func ends(byOrder: Bool) -> Set<End> {
    var model = Model(self, byOrder: byOrder)
    model.explore()
    return model.ends
  }

  private struct Model {
    struct State: Hashable {
      var next: [Int]
      var last: [Int]
      var seen: [[Int]]
      var cells = [Int](repeating: 0, count: SmallProgram.cells)
      var changers = [Int](repeating: 0, count: SmallProgram.cells)
    }

    struct Change: Hashable {
      var thread: Int
      var seen: [Int]
    }

    let program: SmallProgram
    let byOrder: Bool
    var ends: Set<End> = []
    private var states: Set<State> = []
    private var changes: [Change: Int] = [:]

    init(_ program: SmallProgram, byOrder: Bool) {
      self.program = program
      self.byOrder = byOrder
    }

    mutating func explore() {
      let count = program.threads.count
      go(
        State(
          next: Array(repeating: 0, count: count), last: Array(repeating: 0, count: count),
          seen: Array(repeating: [], count: count)))
    }

    private mutating func go(_ state: State) {
      guard states.insert(state).inserted else { return }
      var isStuck = true
      for thread in program.threads.indices where state.next[thread] < program.threads[thread].count
      {
        let instruction = program.threads[thread][state.next[thread]]
        var after = state
        after.next[thread] += 1
        if instruction.isConditional, !state.last[thread].isMultiple(of: 2) {
          isStuck = false
          go(after)
          continue
        }
        if instruction.kind == .await, state.cells[instruction.cell] == 0 { continue }
        isStuck = false
        take(instruction, thread, &after)
        go(after)
      }
      let isDone = state.next == program.threads.map(\.count)
      if isDone || isStuck {
        ends.insert(
          End(
            seen: state.seen, cells: byOrder ? state.changers : state.cells, isStuck: !isDone))
      }
    }

    private mutating func take(_ instruction: Instruction, _ thread: Int, _ state: inout State) {
      let cell = instruction.cell
      let old = state.cells[cell]
      let shown = byOrder ? state.changers[cell] : old
      switch instruction.kind {
      case .load: state.seen[thread].append(shown)
      case .store: state.seen[thread].append(byOrder ? shown : 0)
      case .add, .claim: state.seen[thread].append(shown)
      case .await: state.seen[thread].append(0)
      }
      state.cells[cell] = instruction.result(over: old, last: state.last[thread])
      if instruction.learns { state.last[thread] = old }
      guard instruction.changes else { return }
      let change = Change(thread: thread, seen: state.seen[thread])
      state.changers[cell] = changes[change] ?? changes.count + 1
      changes[change] = state.changers[cell]
    }
  }

  final class Cell: Sendable { let value = Atomic(0) }

  /// The program as a race.
  ///
  /// - Parameter byOrder: as above.
  func race(byOrder: Bool) -> Race {
    Race("small", "a small program", threads: threads.count) { turns in
      let cells = (0..<Self.cells).map { _ in Cell() }
      let bodies = threads.map { instructions -> @Sendable () -> Void in
        {
          var last = 0
          for instruction in instructions {
            if instruction.isConditional, !last.isMultiple(of: 2) { continue }
            let cell = cells[instruction.cell]
            let place = SharedPlace.entry(HPA(UInt64(instruction.cell)))
            switch instruction.kind {
            case .load: turns.step(place, isChange: false)
            case .store: turns.store(place)
            case .add, .claim: turns.step(place, isChange: true)
            case .await:
              turns.wait(place, isChange: false) { cell.value.load(ordering: .relaxed) != 0 }
            }
            let old = cell.value.load(ordering: .relaxed)
            cell.value.store(instruction.result(over: old, last: last), ordering: .relaxed)
            if instruction.learns { last = old }
          }
        }
      }
      return Race.Run(bodies) { place in
        guard !byOrder, case .entry(let number) = place else { return nil }
        return UInt64(cells[Int(number.rawValue)].value.load(ordering: .relaxed))
      } check: {
        []
      }
    }
  }
}

extension SmallProgram.Instruction {
  var learns: Bool { kind != .store && kind != .await }
  var changes: Bool { kind != .load && kind != .await }

  func result(over old: Int, last: Int) -> Int {
    switch kind {
    case .load, .await: old
    case .store: last + number
    case .add: old + number
    case .claim: old == 0 ? number : old
    }
  }
}
