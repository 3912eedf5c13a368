package import MMU
package import Scenario

/// One random guest on one machine: a case, a seed, so many operations.
package struct PropertyRun: Sendable {
  package let guestCase: GuestCase
  package let seed: UInt64
  package let operations: Int
  /// What makes the machines, so that tests can give in a broken one.
  package var makeMachine: @Sendable (GuestCase) throws -> any ScenarioMachine = {
    try $0.makeMachine()
  }

  package init(_ guestCase: GuestCase, seed: UInt64, operations: Int) {
    self.guestCase = guestCase
    self.seed = seed
    self.operations = operations
  }

  /// What a run came to.
  package struct Report: Sendable {
    package var operations = 0
    package var granted = 0
    package var refused = 0
    package var staleUses = 0
    package var counters = MMUCounters()
    package var failure: Failure?
  }

  /// Operations that end in a difference.
  package struct Failure: Sendable {
    package let operations: [GuestOperation]
    package let difference: Difference
  }

  /// Runs until the end, or to the first difference.
  package func run() throws -> Report {
    let world = GuestWorld(guestCase.mode)
    var generator = GuestGenerator(world, vcpus: guestCase.vcpus, seed: seed)
    var trial = GuestTrial(world, on: try makeMachine(guestCase))
    var done: [GuestOperation] = []
    var report = Report()
    do throws(Difference) {
      let beginning = generator.beginning()
      for index in 0..<(beginning.count + operations) {
        let operation =
          index < beginning.count ? beginning[index] : generator.next(trial.machine)
        done.append(operation)
        try trial.perform(operation)
      }
      done.append(.audit)
      try trial.perform(.audit)
      report.operations = operations
    } catch {
      if error.kind == .audit, done.last != .audit { done.append(.audit) }
      report.operations = done.count
      report.failure = Failure(operations: done, difference: error)
    }
    report.granted = trial.granted
    report.refused = trial.refused
    report.staleUses = trial.staleUses
    report.counters = trial.machine.counters
    return report
  }

  /// Does given operations on a new machine.
  ///
  /// - Returns: the first difference, where it is at the last operation.
  package func replay(_ operations: [GuestOperation]) -> Difference? {
    guard let machine = try? makeMachine(guestCase) else { return nil }
    var trial = GuestTrial(GuestWorld(guestCase.mode), on: machine)
    for (index, operation) in operations.enumerated() {
      do throws(Difference) {
        try trial.perform(operation)
      } catch {
        return index == operations.count - 1 ? error : nil
      }
    }
    return nil
  }

  /// The shortest operations that still end in a difference of the same kind.
  package func shrink(_ failure: Failure) -> Failure {
    guard let last = failure.operations.last else { return failure }
    let before = shrunk(Array(failure.operations.dropLast())) {
      replay($0 + [last])?.kind == failure.difference.kind
    }
    let operations = before + [last]
    return Failure(
      operations: operations, difference: replay(operations) ?? failure.difference)
  }

  /// The scenario file that replays a failure with `mmu run`.
  package func scenario(_ failure: Failure) -> String {
    var steps = failure.operations.map(\.yaml)
    if let expectation = failure.difference.expectation, let last = steps.popLast() {
      steps.append(last + "\n    expect: " + expectation)
    }
    return guestCase.scenario(
      named: "seed \(seed), \(guestCase.name): \(failure.difference)", steps: steps)
  }
}
