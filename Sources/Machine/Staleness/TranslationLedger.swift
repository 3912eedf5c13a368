public import MMU
public import Paging

/// Remembers what made translations stale: writes of table entries, invalidations, and what the host
/// did to frames. A machine that has one checks each translation before it is used
/// (`StaleTranslation`); one that has none pays nothing.
///
/// Accesses of a machine with a ledger are made in full, and what writes or checks takes turns, so that
/// each finding can name the write that caused it. What is kept is bounded; where something was
/// forgotten a finding's cause is `unknown`.
///
/// **Not modelled** guests inside the guest and private memory: the guest's tables are read through the
/// shared memslots.
public final class TranslationLedger: Sendable {
  /// What the ledger holds.
  struct State {
    /// Counts whatever is noted.
    var clock: UInt64 = 0
    var step: Int?
    /// The table entries that cached translations were read from, by address.
    var entries: [UInt64: Entry] = [:]
    var flushes: [Int: Flushes] = [:]
    var operations: [(operation: StaleTranslation.HostOperation, time: UInt64)] = []
    var findings: [StaleTranslation] = []
    var leftOut = 0
    var counts: [StaleTranslation.Verdict: Int] = [:]

    mutating func tick() -> UInt64 {
      clock += 1
      return clock
    }
  }

  /// A table entry that somebody walked through.
  struct Entry {
    var value: UInt64
    /// **Units** bytes.
    let size: Int
    /// The bits that the processor sets by itself.
    let marks: UInt64
    var change: Change?
  }

  /// The last write that changed an entry.
  struct Change {
    var write: StaleTranslation.TableWrite
    var time: UInt64
  }

  private let memory: GuestMemory
  private let state = Guarded(State())
  private let turn = Guarded(())

  /// The most table entries, invalidations of pages by one vCPU, and host operations that are kept.
  static var mostEntries: Int { 1 << 16 }
  static var mostPages: Int { 4096 }
  static var mostOperations: Int { 1024 }
  /// The most findings that wait to be taken.
  public static var mostFindings: Int { 64 }

  /// An empty ledger of a machine.
  ///
  /// - Parameter memory: the machine's memory.
  public init(memory: GuestMemory) { self.memory = memory }

  /// How many translations were found to be stale, by who has to flush.
  public var counts: [StaleTranslation.Verdict: Int] { state.withLock { $0.counts } }

  /// The findings since the last call, and how many came after them.
  public func take() -> (findings: [StaleTranslation], leftOut: Int) {
    state.withLock { state in
      defer { (state.findings, state.leftOut) = ([], 0) }
      return (state.findings, state.leftOut)
    }
  }

  /// Begins a step of a run: what is noted from now on carries its number. Entries that were changed
  /// from outside until now are noted as written in the step before. **Requires** that no vCPU runs.
  public func beginStep(_ number: Int) {
    let view = memory.presentView
    state.withLock { state in
      for (address, entry) in state.entries {
        guard let now = Self.load(address, entry.size, in: view) else { continue }
        if (now ^ entry.value) & ~entry.marks != 0 {
          state.note(
            address, before: entry.value, after: now, vcpu: nil, step: state.step)
        }
        state.entries[address]?.value = now
      }
      state.step = number
    }
  }

  /// Notes what the host has done to frames: what is cached of them from before has to go.
  public func note(_ kind: StaleTranslation.HostOperation.Kind, of frames: Range<GFN>) {
    state.withLock { state in
      if state.operations.count == Self.mostOperations { state.operations.removeFirst() }
      let time = state.tick()
      state.operations.append(
        (StaleTranslation.HostOperation(kind, frames: frames, step: state.step), time))
    }
  }

  /// Runs while nobody else writes guest memory or checks a translation.
  func inTurn<Outcome>(_ body: () -> Outcome) -> Outcome {
    var outcome: Outcome?
    turn.withLock { _ in outcome = body() }
    guard let outcome else { preconditionFailure("the lock did not run its body") }
    return outcome
  }

  /// The time now.
  func now() -> UInt64 { state.withLock { $0.tick() } }

  /// Notes the entries that a translation was read from.
  func walked(_ steps: [WalkStep], size: Int, marks: UInt64) {
    state.withLock { state in
      if state.entries.count + steps.count > Self.mostEntries { state.entries = [:] }
      for step in steps {
        state.entries[
          step.entryAddress, default: Entry(value: step.entry, size: size, marks: marks)
        ].value = step.entry
      }
    }
  }

  /// Makes a vCPU's write, in turn, and notes which entries it changed.
  func write<Outcome>(
    by vcpu: Int, to places: [(gpa: GPA, byteCount: Int)], _ body: () -> Outcome
  ) -> Outcome {
    inTurn {
      let touched = places.flatMap { entries(at: $0.gpa, $0.byteCount) }
      let outcome = body()
      if touched.isEmpty { return outcome }
      let view = memory.presentView
      state.withLock { state in
        for (address, size, before) in touched {
          guard let after = Self.load(address, size, in: view), after != before else { continue }
          state.note(address, before: before, after: after, vcpu: vcpu, step: state.step)
          state.entries[address]?.value = after
        }
      }
      return outcome
    }
  }

  /// The known entries that a write touches, and what they hold.
  private func entries(
    at gpa: GPA, _ byteCount: Int
  ) -> [(address: UInt64, size: Int, value: UInt64)] {
    let view = memory.presentView
    let first = gpa.rawValue & ~3
    let end = gpa.rawValue &+ UInt64(byteCount)
    return state.withLock { state in
      stride(from: first >= 4 ? first - 4 : 0, to: max(end, first), by: 4).compactMap { address in
        guard let entry = state.entries[address], address + UInt64(entry.size) > gpa.rawValue,
          let value = Self.load(address, entry.size, in: view)
        else { return nil }
        return (address, entry.size, value)
      }
    }
  }

  /// Notes an invalidation that the guest began at a time.
  func invalidated(_ scope: TLBInvalidation, on vcpu: Int, since time: UInt64) {
    if case .nothing = scope { return }
    state.withLock { $0.flushes[vcpu, default: Flushes()].note(scope, time) }
  }

  /// When the guest last invalidated a page on a vCPU; 0 for never.
  func lastInvalidation(
    of gva: GVA, size: PageSize, tag: UInt16, isGlobal: Bool, on vcpu: Int
  ) -> UInt64 {
    state.withLock {
      $0.flushes[vcpu]?.last(of: gva, size: size, tag: tag, isGlobal: isGlobal) ?? 0
    }
  }

  /// The last write that changed one of the entries of a walk.
  func lastChange(of steps: [WalkStep]) -> Change? {
    state.withLock { state in
      steps.compactMap { state.entries[$0.entryAddress]?.change }.max { $0.time < $1.time }
    }
  }

  /// The last that the host did to a frame since a time.
  func lastOperation(on gfn: GFN, since time: UInt64) -> StaleTranslation.HostOperation? {
    state.withLock { state in
      state.operations.last { $0.time > time && $0.operation.frames.contains(gfn) }?.operation
    }
  }

  /// Keeps a finding.
  func add(_ finding: StaleTranslation) {
    state.withLock { state in
      state.counts[finding.verdict, default: 0] += 1
      if state.findings.count < Self.mostFindings {
        state.findings.append(finding)
      } else {
        state.leftOut += 1
      }
    }
  }

  private static func load(_ address: UInt64, _ size: Int, in view: GuestView) -> UInt64? {
    if size == 4 { return try? UInt64(view.load(GPA(address), as: UInt32.self).get()) }
    return try? view.load(GPA(address), as: UInt64.self).get()
  }
}

extension TranslationLedger.State {
  fileprivate mutating func note(
    _ address: UInt64, before: UInt64, after: UInt64, vcpu: Int?, step: Int?
  ) {
    let time = tick()
    entries[address]?.change = TranslationLedger.Change(
      write: StaleTranslation.TableWrite(
        gpa: GPA(address), before: before, after: after, vcpu: vcpu, step: step),
      time: time)
  }
}
