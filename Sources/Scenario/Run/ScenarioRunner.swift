import Dispatch
import MMU
import Machine
package import Paging
import PluginHost
import Report
import Synchronization
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

  /// Whether the tables are audited after every step; a breach fails the step.
  public var auditsEveryStep = false
  /// Whether results tell the guest's own entries for each access, before and after.
  public var recordsWalks = true

  package let machine: any ScenarioMachine
  let nesting: (any NestingScenarioMachine)?
  private let plugins: MachinePlugins
  private let recorder: EventRecorder
  private let traces: [String: [TraceRecord]]
  private let spare: [Int: MachineComposer.SlotMemory]
  private var player: AccessPlayer
  var layout: Layout
  private var snapshots: [String: (machine: any Sendable, layout: Layout)] = [:]

  /// What the runner knows of the machine, and goes back with it.
  struct Layout {
    /// Where the next guest table goes.
    var tableCursor: GPA?
    /// The number of the next memslot.
    var nextSlot: Int
    /// The second level of each vCPU inside the guest, where it is not the machine's first.
    var pointers: [Int: UInt64] = [:]
  }

  /// MAXPHYADDR of the machine. **Units** bits.
  public var physicalAddressWidth: Int { machine.processor(0).features.physicalAddressWidth }

  /// The plugins, in the order of stacking.
  public var pluginNames: [String] { plugins.plugins.map(\.name) }

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
    traces = try Self.readTraces(scenario, folder)
    let composed = try MachineComposer(
      spec: scenario.machine, folder: folder, plugins: plugins,
      addedLater: scenario.steps.compactMap { step in
        if case .memslot(.add(let region)) = step.action { region } else { nil }
      }
    ).compose()
    machine = composed.machine
    nesting = composed.nesting
    spare = composed.spare
    player = AccessPlayer(machine: composed.machine)
    layout = Layout(nextSlot: scenario.machine.memory.count)
    recorder = composed.recorder
    notes = composed.notes
    machineSummary = composed.summary
    self.plugins = plugins
    plugins.services.serve(composed.machine)
    pluginLines = plugins.services.takeLines()
  }

  /// Runs a scenario on a machine that was composed elsewhere, by the file's description or nearly so.
  ///
  /// - Parameter spare: where the memory of slots that steps add is.
  package init(_ scenario: Scenario, on machine: any ScenarioMachine, spare: HPA) {
    self.scenario = scenario
    self.machine = machine
    nesting = nil
    traces = [:]
    self.spare = Dictionary(
      scenario.steps.compactMap { step in
        if case .memslot(.add(let region)) = step.action {
          (region.line, MachineComposer.SlotMemory(shared: spare))
        } else {
          nil
        }
      }, uniquingKeysWith: { first, _ in first })
    player = AccessPlayer(machine: machine)
    layout = Layout(nextSlot: (machine.memory.slots.slots.map(\.id).max() ?? -1) + 1)
    recorder = EventRecorder()
    notes = []
    machineSummary = ""
    plugins = MachinePlugins()
    pluginLines = []
  }

  /// Runs all steps.
  ///
  /// - Parameters:
  ///   - trace: called with each access and how it ended, in order; accesses of a `parallel` step come
  ///     vCPU by vCPU.
  ///   - progress: called now and then during long steps with the accesses done and those asked for.
  ///   - report: called with each step's result, in order.
  /// - Throws: what `report` throws.
  public func run(
    trace: ((TraceRecord) -> Void)? = nil, progress: ((Int, Int) -> Void)? = nil,
    _ report: (StepResult) throws -> Void
  ) rethrows -> RunSummary {
    var summary = RunSummary()
    player.trace = trace
    player.progress = progress
    defer { (player.trace, player.progress) = (nil, nil) }
    for (index, step) in scenario.steps.enumerated() {
      var result = StepResult(number: index + 1, step: step)
      let before = machine.exitCounts()
      let fetchedBefore = machine.memory.missingPages.fetched
      machine.ledger?.beginStep(result.number)
      perform(step.action, &result)
      noteHostOperation(step.action)
      let after = machine.exitCounts()
      result.exits = ExitCause.allCases.compactMap { cause in
        let count = after[cause] - before[cause]
        return count > 0 ? (cause, count) : nil
      }
      let fetched = machine.memory.missingPages.fetched - fetchedBefore
      if fetched > 0 { result.fetchedPages = fetched }
      (result.events, result.eventsLeftOut) = recorder.take(atMost: step.action.eventsShown)
      result.pluginLines = plugins.services.takeLines()
      if let ledger = machine.ledger {
        result.isLookedAtForStale = true
        (result.staleTranslations, result.staleLeftOut) = ledger.take()
      }
      if let expectation = step.expectation {
        result.mismatches = expectation.mismatches(result)
      }
      // A host's error is never what a guest was meant to see, unless the file says so.
      if let problem = result.problem, result.mismatches.isEmpty,
        step.expectation?.toleratesProblem != true
      {
        result.mismatches = [problem]
      }
      if auditsEveryStep, let breaches = machine.audit(), let first = breaches.first {
        if result.breaches.isEmpty { result.breaches = breaches }
        result.mismatches.append("audit: \(breaches.count) found: \(first)")
      }
      if let forgotten = result.forgottenFlush, step.expectation?.stale == nil {
        result.mismatches.append(forgotten)
      }
      summary.steps += 1
      if result.isPassed { summary.passed += 1 } else { summary.failed += 1 }
      try report(result)
    }
    summary.exits = machine.exitCounts().nonzero
    (summary.tlbHits, summary.tlbMisses) = machine.tlbCounts()
    summary.faults = player.faults.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    let counters = machine.counters
    summary.spteInstalls = counters.spteInstalls
    summary.mmioCached = counters.mmioCached
    summary.mmioSearched = counters.mmioSearched
    summary.tablePages = machine.tablePages
    if machine.memory.slots.slots.contains(where: { $0.missing != nil }) {
      summary.missingPages = machine.memory.missingPages
    }
    summary.staleTranslations = machine.ledger?.counts
    summary.pluginCounters = plugins.services.counters
    return summary
  }

  /// What is not as it must be in the MMU's tables, one line each; to be asked between steps.
  public func audit() -> [String] { machine.audit() ?? [] }

  private func perform(_ action: Action, _ result: inout StepResult) {
    switch action {
    case .access(let access) where recordsWalks:
      let before = guestWalk(access.va, vcpu: access.vcpu)
      player.perform(action, &result)
      let after = guestWalk(access.va, vcpu: access.vcpu)
      let entryName = machine.processor(access.vcpu).regime.entryName
      result.walk = before.enumerated().map { index, step in
        WalkedEntry(
          name: entryName(step.level), step: step,
          after: index < after.count ? after[index].entry : step.entry)
      }
    case .access, .repeated, .invalidatePage, .setRegister, .privateMemory:
      player.perform(action, &result)
    case .map(let map): perform(map, &result)
    case .poke(let poke):
      if let gpa = hiddenByte(of: poke) {
        result.problem = "GPA \(gpa) is private memory, which the host does not reach"
        return
      }
      let written = unsafe machine.memory.view.write(poke.bytes.span.bytes, at: poke.gpa)
      result.gpa = poke.gpa
      result.bytes = poke.bytes
      result.isDone = written == poke.bytes.count
      if !result.isDone {
        result.problem = "no memory at GPA \(poke.gpa.wrappingAdd(UInt64(written)))"
      }
    case .memslot(let change): perform(change, &result)
    case .parallel(let parallel): perform(parallel, &result)
    case .maintenance(let action): perform(action, &result)
    case .nesting(let action): perform(action, &result)
    case .systemManagement(let enters, let vcpu):
      result.isDone = machine.setSystemManagement(vcpu, enters)
      if !result.isDone {
        result.problem =
          scenario.machine.hasSystemManagement
          ? "the vCPU is \(enters ? "" : "not ")in system-management mode"
          : "the machine has no memory of system-management mode"
      }
    case .fetchPages(let count):
      result.count = machine.memory.fetchMissingPages(atMost: count)
      result.isDone = true
    case .snapshot(let name):
      attempt(&result) { result throws(SnapshotError) in
        let kept = try machine.keep(tables: scenario.machine.keepsTables)
        snapshots[name] = (kept.snapshot, layout)
        result.count = kept.pageCount
      }
    case .restore(let name):
      guard let saved = snapshots[name] else {
        result.problem = "there is no snapshot '\(name)'"
        return
      }
      attempt(&result) { _ throws(SnapshotError) in
        try machine.putBack(saved.machine)
        layout = saved.layout
        enterNested()
      }
    case .replay(let replay): player.replay(traces[replay.path] ?? [], &result)
    case .audit:
      guard let breaches = machine.audit() else {
        result.problem = "this MMU has no audit"
        return
      }
      result.breaches = breaches
      result.isDone = breaches.isEmpty
      if let first = breaches.first {
        result.problem = breaches.count == 1 ? first : "\(breaches.count) breaches: \(first)"
      }
    }
  }

  private func attempt(
    _ result: inout StepResult, _ body: (inout StepResult) throws(SnapshotError) -> Void
  ) {
    do {
      try body(&result)
      result.isDone = true
    } catch {
      result.problem = "\(error)"
    }
  }

  private func perform(_ change: MemslotAction, _ result: inout StepResult) {
    func id(_ gpa: GPA, in table: MemslotTable) -> Int {
      table.slots.first { $0.base == gpa.frame }?.id ?? -1
    }
    do {
      switch change {
      case .add(let region):
        let place = spare[region.line]
        let slot = Memslot(
          region, id: layout.nextSlot, host: place?.shared, privateHost: place?.private)
        try machine.changeSlots(dropsTranslations: false) { table throws(MemslotError) in
          try table.adding(slot)
        }
        layout.nextSlot += 1
        if region.isPrivate { try? machine.privateMemory?.convert(region.frames, toPrivate: true) }
      case .remove(let gpa):
        try machine.changeSlots(dropsTranslations: true) { table throws(MemslotError) in
          try table.removing(id: id(gpa, in: table))
        }
      case .move(let gpa, let place):
        try replace(gpa) { $0.base = place.frame }
      case .flags(let gpa, let isReadOnly):
        try replace(gpa) {
          if isReadOnly { $0.flags.insert(.readOnly) } else { $0.flags.remove(.readOnly) }
        }
      }
      result.isDone = true
    } catch .unknown {
      result.problem = "no memslot begins there"
    } catch {
      result.problem = "\(error)"
    }
  }

  /// Takes a slot out and puts it back changed, as one step.
  private func replace(_ gpa: GPA, _ change: (inout Memslot) -> Void) throws(MemslotError) {
    try machine.changeSlots(dropsTranslations: true) { table throws(MemslotError) in
      guard var slot = table.slots.first(where: { $0.base == gpa.frame }) else {
        throw .unknown(id: -1)
      }
      if slot.privateHost != nil { throw .hasPrivateMemory(id: slot.id) }
      let without = try table.removing(id: slot.id)
      change(&slot)
      return try without.adding(slot)
    }
  }

  private func perform(_ action: ParallelAction, _ result: inout StepResult) {
    let lanes = action.lanes
    let results = Mutex<[Int: AccessPlayer.Lane]>([:])
    let machine = machine
    let isTraced = player.trace != nil
    DispatchQueue.concurrentPerform(iterations: lanes.count) { index in
      let lane = AccessPlayer.run(lanes[index], on: machine, isTraced: isTraced)
      results.withLock { $0[index] = lane }
    }
    let ended = results.withLock { $0 }
    var completed = 0
    for index in lanes.indices {
      guard let lane = ended[index] else { continue }
      completed += lane.completed
      for (vector, count) in lane.faults { player.faults[vector, default: 0] += count }
      if let problem = lane.problem, result.problem == nil {
        result.problem = "vCPU \(lanes[index].vcpu): \(problem)"
      }
      if let trace = player.trace { lane.trace.forEach(trace) }
    }
    result.completed = completed
    result.isDone = completed == lanes.reduce(0) { $0 + $1.actions.count }
  }

  /// The traces that steps replay, by path, each read once.
  private static func readTraces(
    _ scenario: Scenario, _ folder: FilePath
  ) throws(ScenarioError) -> [String: [TraceRecord]] {
    var traces: [String: [TraceRecord]] = [:]
    for step in scenario.steps {
      guard case .replay(let replay) = step.action, traces[replay.path] == nil else { continue }
      do {
        traces[replay.path] = try TraceFile.read(
          folder.pushing(FilePath(replay.path)), vcpus: scenario.machine.allVCPUs)
      } catch {
        let place = error.line.map { ":\($0)" } ?? ""
        throw ScenarioError(line: replay.line, "\(replay.path)\(place): \(error.message)")
      }
    }
    return traces
  }
}
