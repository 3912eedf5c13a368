import Machine
import Notation
import Paging
package import X86

/// Plays accesses on a machine and keeps count of how they end.
struct AccessPlayer {
  let machine: any ScenarioMachine
  /// Exceptions in the guest, by vector.
  var faults: [UInt8: Int] = [:]
  /// Told of every access.
  var trace: ((TraceRecord) -> Void)?
  /// Told now and then how far a long step is.
  var progress: ((Int, Int) -> Void)?
  /// How many accesses lie between two calls of `progress`.
  private static var progressStride: Int { 1 << 14 }

  init(machine: any ScenarioMachine) { self.machine = machine }

  /// What one vCPU's part of a `parallel` step came to.
  struct Lane: Sendable {
    var completed = 0
    var faults: [UInt8: Int] = [:]
    var problem: String?
    var trace: [TraceRecord] = []
  }

  /// Does one lane's steps; the first that a host error ends, ends the lane.
  static func run(
    _ lane: ParallelAction.Lane, on machine: any ScenarioMachine, isTraced: Bool
  ) -> Lane {
    var outcome = Lane()
    var player = AccessPlayer(machine: machine)
    let records = Records()
    if isTraced { player.trace = { records.list.append($0) } }
    for action in lane.actions {
      var result = StepResult(
        number: 0, step: Step(line: 0, action: action, expectation: nil))
      player.perform(action, &result)
      if result.isDone { outcome.completed += 1 }
      if let problem = result.problem {
        outcome.problem = problem
        break
      }
    }
    outcome.faults = player.faults
    outcome.trace = records.list
    return outcome
  }

  private final class Records { var list: [TraceRecord] = [] }

  /// Does a step that one vCPU can do by itself.
  mutating func perform(_ action: Action, _ result: inout StepResult) {
    switch action {
    case .access(let access): perform(access, &result)
    case .repeated(let repeated): perform(repeated, &result)
    case .invalidatePage(let va, let vcpu):
      machine.invalidatePage(vcpu, va)
      result.isDone = true
    case .setRegister(let name, let value, let vcpu):
      do {
        try machine.setRegister(vcpu, name, value)
        result.isDone = true
      } catch {
        result.fault = (X86Fault.generalProtectionVector, 0)
        result.reason = "\(error)"
        faults[X86Fault.generalProtectionVector, default: 0] += 1
      }
    case .privateMemory(let action): perform(action, &result)
    case .map, .poke, .memslot, .parallel, .replay, .audit, .maintenance, .nesting, .snapshot,
      .restore,
      .fetchPages, .systemManagement:
      break
    }
  }

  /// One access; more than 16 bytes are read piece by piece.
  private mutating func perform(_ action: AccessAction, _ result: inout StepResult) {
    guard canHandle(action, &result) else { return }
    var done = 0
    while done < action.size {
      let count = min(16, action.size - done)
      let report = play(
        action, at: action.va.wrappingAdd(UInt64(done)), size: count, &result)
      if done == 0 {
        result.gpa = report.gpa
        result.hpa = report.hpa
        result.isTLBHit = report.isTLBHit
      }
      result.mmio = result.mmio ?? report.mmio
      guard take(report, on: action.vcpu, &result) else { return }
      if case .done(let value) = report.outcome {
        result.bytes += (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt128($0 * 8)) }
      }
      done += count
    }
    result.isDone = true
  }

  private mutating func perform(_ action: RepeatAction, _ result: inout StepResult) {
    guard canHandle(action.access, &result) else { return }
    let size = UInt64(action.access.size)
    let places = (action.range.upperBound - action.range.lowerBound) / size
    var generator = SplitMix64(seed: 0)
    if case .random(let seed) = action.pattern { generator = SplitMix64(seed: seed) }
    var completed = 0
    for index in 0..<UInt64(action.count) {
      let place: UInt64
      switch action.pattern {
      case .sequential: place = index % places
      case .random: place = generator.next() % places
      }
      let report = play(
        action.access, at: GVA(action.range.lowerBound + place * size), size: action.access.size,
        &result)
      if take(report, on: action.access.vcpu, &result) { completed += 1 }
      busy(Int(index) + 1, of: action.count)
      // A host's error will not go away.
      if result.problem != nil { break }
    }
    result.completed = completed
    result.isDone = completed == action.count
  }

  /// Plays a trace; where it says how an access ended, differences are counted.
  mutating func replay(_ records: [TraceRecord], _ result: inout StepResult) {
    var completed = 0
    var differences = 0
    for (index, record) in records.enumerated() {
      let report = play(record.access, at: record.access.va, size: record.access.size, &result)
      if take(report, on: record.access.vcpu, &result) { completed += 1 }
      if let recorded = record.outcome, recorded != TraceRecord.Outcome(report) {
        differences += 1
      }
      busy(index + 1, of: records.count)
      if result.problem != nil { break }
    }
    result.completed = completed
    result.differences = differences
    result.isDone = result.problem == nil
  }

  /// Whether there is a handler of #VE, where the access wants one.
  private func canHandle(_ action: AccessAction, _ result: inout StepResult) -> Bool {
    guard action.handlesExceptions, !(machine is any DomainMachine) else { return true }
    result.problem = "only a trust domain's guest answers its #VE ('handle-ve')"
    return false
  }

  private func busy(_ done: Int, of total: Int) {
    if done % Self.progressStride == 0 || done == total { progress?(done, total) }
  }

  private func play(
    _ action: AccessAction, at va: GVA, size: Int, _ result: inout StepResult
  ) -> AccessReport<X86Fault> {
    let report: AccessReport<X86Fault>
    if action.handlesExceptions, let domain = machine as? any DomainMachine {
      let handled = domain.handledAccess(
        action.vcpu, action.access, at: va, size: size, value: action.value)
      result.note(handled.calls)
      report = handled.report
    } else {
      report = machine.access(
        action.vcpu, action.access, at: va, size: size, value: action.value)
    }
    if let trace {
      var played = action
      (played.va, played.size) = (va, size)
      trace(TraceRecord(access: played, outcome: TraceRecord.Outcome(report)))
    }
    return report
  }

  /// Notes how an access ended.
  ///
  /// - Returns: whether it went through.
  private mutating func take(
    _ report: AccessReport<X86Fault>, on vcpu: Int, _ result: inout StepResult
  ) -> Bool {
    let fault: (vector: UInt8, errorCode: UInt32)
    switch report.outcome {
    case .done: return true
    case .fault(let raised): fault = (raised.vector, raised.errorCode.rawValue)
    case .injected(let vector, let errorCode):
      fault = (vector, errorCode)
      result.exception = machine.lastException(vcpu)
    case .reflected(let exit):
      result.reflected = exit
      return false
    case .failed(let error):
      result.problem = "\(error)"
      return false
    }
    result.fault = fault
    faults[fault.vector, default: 0] += 1
    return false
  }
}

extension AccessAction {
  /// The access as the processor sees it.
  package var access: X86Access {
    X86Access(kind, user: isUser, implicit: isImplicit, alignmentCheck: alignmentCheck)
  }
}
