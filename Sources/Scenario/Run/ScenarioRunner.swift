import MMU
import Machine
import Paging
public import SystemPackage
import X86
import X86Guest

/// Runs a scenario, step by step.
public final class ScenarioRunner {
  /// What is run.
  public let scenario: Scenario
  /// What was assumed or tolerated, for people; one line each.
  public let notes: [String]
  /// One line that says what the machine is.
  public let machineSummary: String

  /// What plugins said while the machine was composed.
  public let pluginLines: [String]

  let machine: any ScenarioMachine
  private let plugins: MachinePlugins
  private let recorder: EventRecorder
  private var faults: [UInt8: Int] = [:]
  private var tableCursor: GPA?

  /// Composes the machine; nothing of the guest runs yet.
  ///
  /// - Parameters:
  ///   - folder: what the scenario's paths are relative to.
  ///   - plugins: what is asked for masks and about faults.
  /// - Throws: `ScenarioError`: a file that the scenario names is bad, or the machine cannot be.
  public init(
    _ scenario: Scenario, folder: FilePath, plugins: MachinePlugins = MachinePlugins()
  ) throws(ScenarioError) {
    self.scenario = scenario
    let composed = try MachineComposer(
      spec: scenario.machine, folder: folder, plugins: plugins
    ).compose()
    machine = composed.machine
    recorder = composed.recorder
    notes = composed.notes
    machineSummary = composed.summary
    self.plugins = plugins
    plugins.services.serve(composed.machine)
    pluginLines = plugins.services.takeLines()
  }

  /// Runs all steps.
  ///
  /// - Parameter report: called with each step's result, in order.
  /// - Throws: what `report` throws.
  public func run(_ report: (StepResult) throws -> Void) rethrows -> RunSummary {
    var summary = RunSummary()
    for (index, step) in scenario.steps.enumerated() {
      var result = StepResult(number: index + 1, step: step)
      let before = machine.exitCounts()
      perform(step.action, &result)
      let after = machine.exitCounts()
      result.exits = ExitCause.allCases.compactMap { cause in
        let count = after[cause] - before[cause]
        return count > 0 ? (cause, count) : nil
      }
      result.events = recorder.take()
      result.pluginLines = plugins.services.takeLines()
      if let expectation = step.expectation {
        result.mismatches = expectation.mismatches(result)
      } else if let problem = result.problem {
        result.mismatches = [problem]
      }
      summary.steps += 1
      if result.isPassed { summary.passed += 1 } else { summary.failed += 1 }
      try report(result)
    }
    summary.exits = machine.exitCounts().nonzero
    (summary.tlbHits, summary.tlbMisses) = machine.tlbCounts()
    summary.faults = faults.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let counters = machine.counters
    summary.spteInstalls = counters.spteInstalls
    summary.mmioCached = counters.mmioCached
    summary.mmioSearched = counters.mmioSearched
    summary.tablePages = machine.tablePages
    summary.pluginCounters = plugins.services.counters
    return summary
  }

  /// What is not as it must be in the MMU's tables, one line each; to be asked between steps.
  public func audit() -> [String] { machine.audit() }

  private func perform(_ action: Action, _ result: inout StepResult) {
    switch action {
    case .access(let access):
      let before = guestWalk(access.va, vcpu: access.vcpu)
      perform(access, &result)
      let after = guestWalk(access.va, vcpu: access.vcpu)
      let entryName = machine.processor(access.vcpu).regime.entryName
      result.walk = before.enumerated().map { index, step in
        WalkedEntry(
          name: entryName(step.level), step: step,
          after: index < after.count ? after[index].entry : step.entry)
      }
    case .repeated(let repeated): perform(repeated, &result)
    case .map(let map): perform(map, &result)
    case .poke(let poke):
      let written = unsafe machine.memory.view.write(poke.bytes.span.bytes, at: poke.gpa)
      result.gpa = poke.gpa
      result.bytes = poke.bytes
      result.isDone = written == poke.bytes.count
      if !result.isDone {
        result.problem = "no memory at GPA \(poke.gpa.wrappingAdd(UInt64(written)))"
      }
    case .invalidatePage(let va, let vcpu):
      machine.invalidatePage(vcpu, va)
      result.isDone = true
    case .setRegister(let name, let value, let vcpu):
      do {
        try machine.setRegister(vcpu, name, value)
        result.isDone = true
      } catch {
        result.fault = (X86Fault.generalProtectionVector, 0)
        faults[X86Fault.generalProtectionVector, default: 0] += 1
        result.problem = "\(error)"
      }
    }
  }

  /// One access; more than 16 bytes are read piece by piece.
  private func perform(_ action: AccessAction, _ result: inout StepResult) {
    var done = 0
    while done < action.size {
      let count = min(16, action.size - done)
      let report = machine.access(
        action.vcpu, action.access, at: action.va.wrappingAdd(UInt64(done)), size: count,
        value: action.value)
      if done == 0 {
        result.gpa = report.gpa
        result.hpa = report.hpa
        result.isTLBHit = report.isTLBHit
      }
      result.mmio = result.mmio ?? report.mmio
      guard take(report, &result) else { return }
      if case .done(let value) = report.outcome {
        result.bytes += (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt128($0 * 8)) }
      }
      done += count
    }
    result.isDone = true
  }

  private func perform(_ action: RepeatAction, _ result: inout StepResult) {
    let size = UInt64(action.access.size)
    let places = (action.range.upperBound - action.range.lowerBound) / size
    var generator = SplitMix64(state: 0)
    if case .random(let seed) = action.pattern { generator = SplitMix64(state: seed) }
    var completed = 0
    for index in 0..<UInt64(action.count) {
      let place: UInt64
      switch action.pattern {
      case .sequential: place = index % places
      case .random: place = generator.next() % places
      }
      let report = machine.access(
        action.access.vcpu, action.access.access,
        at: GVA(action.range.lowerBound + place * size), size: action.access.size,
        value: action.access.value)
      if take(report, &result) { completed += 1 }
      if recorder.isFull { _ = recorder.take() }
    }
    result.completed = completed
    result.isDone = completed == action.count
  }

  /// Notes how an access ended.
  ///
  /// - Returns: whether it went through.
  private func take(_ report: AccessReport<X86Fault>, _ result: inout StepResult) -> Bool {
    switch report.outcome {
    case .done: return true
    case .fault(let fault): result.fault = (fault.vector, fault.errorCode.rawValue)
    case .injected(let vector, let errorCode): result.fault = (vector, errorCode)
    case .failed(let error): result.problem = "\(error)"
    }
    if let fault = result.fault { faults[fault.vector, default: 0] += 1 }
    return false
  }

  private func perform(_ action: MapAction, _ result: inout StepResult) {
    if let place = action.tablesAt { tableCursor = place }
    let view = machine.memory.view
    do {
      try machine.processor(action.vcpu).regime.map(
        action.va, to: action.gpa, length: action.byteCount, pageSize: action.pageSize,
        permissions: action.permissions, in: view,
        takeTable: {
          guard let page = tableCursor else { return nil }
          let zeros = [UInt8](repeating: 0, count: 4096)
          guard unsafe view.write(zeros.span.bytes, at: page) == 4096 else { return nil }
          tableCursor = page.adding(4096)
          return page
        })
      result.isDone = true
    } catch .noTablePages {
      result.problem =
        tableCursor.map { "no memory for a table at GPA \($0)" }
        ?? "tables are missing: say where new ones go by 'tables-at'"
    } catch {
      result.problem = "\(error)"
    }
  }

  /// The entries of the guest's tables for an address, without side effects.
  private func guestWalk(_ va: GVA, vcpu: Int) -> [WalkStep] {
    var recording = Recording(Probe())
    _ = machine.processor(vcpu).translate(va, for: .read, in: machine.memory.view, &recording)
    return recording.steps
  }
}

extension AccessAction {
  /// The access as the processor sees it.
  var access: X86Access {
    X86Access(kind, user: isUser, implicit: isImplicit, alignmentCheck: alignmentCheck)
  }
}

/// A small seeded generator, the same on every platform, so that a scenario replays.
///
/// **Source** Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators".
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed &>> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed &>> 31)
  }
}
