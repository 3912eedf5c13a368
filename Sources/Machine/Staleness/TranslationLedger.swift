public import MMU
public import Paging

/// Remembers what made translations stale: writes of table entries, invalidations, and what the host
/// and the MMU did to frames. A machine that has one checks each translation before it is used
/// (`StaleTranslation`); one that has none pays nothing.
///
/// Accesses of a machine with a ledger are made in full, and what writes or checks takes turns, so that
/// each finding can name the write that caused it. Nobody asks the MMU in a turn: it may be waiting for a
/// vCPU that waits for the turn. What is kept is bounded; where something was forgotten a finding's cause
/// is `unknown`.
public final class TranslationLedger: Sendable {
  /// What the ledger holds.
  struct State {
    /// Counts whatever is noted.
    var clock: UInt64 = 0
    var step: Int?
    /// The table entries that cached translations were read from, by host address.
    var entries: [UInt64: Entry] = [:]
    /// The times of writes that the MMU has yet to hear of.
    var untold: Set<UInt64> = []
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
    /// Its address in the memslots.
    var gpa: GPA
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

  private let host: HostView
  private let state = Guarded(State())
  private let turn = Guarded(())

  /// The most table entries, invalidations of pages by one vCPU, and host operations that are kept.
  static var mostEntries: Int { 1 << 16 }
  static var mostPages: Int { 4096 }
  static var mostOperations: Int { 4096 }
  /// The most findings that wait to be taken.
  public static var mostFindings: Int { 64 }

  /// An empty ledger of a machine; the MMU tells it from now on what it does to frames.
  ///
  /// - Parameter memory: the machine's memory.
  public init(memory: GuestMemory) {
    host = memory.host.view
    memory.tellChanges(to: self)
  }

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
    state.withLock { state in
      for (address, entry) in state.entries {
        guard let now = load(address, entry.size) else { continue }
        if (now ^ entry.value) & ~entry.marks != 0 {
          _ = state.note(address, before: entry.value, after: now, vcpu: nil)
        }
        state.entries[address]?.value = now
      }
      state.step = number
    }
  }

  /// Notes what the host or the MMU has done to frames: what is cached of them from before has to go.
  public func note(_ kind: StaleTranslation.HostOperation.Kind, of frames: Range<GFN>) {
    state.withLock { state in
      if state.operations.count == Self.mostOperations {
        state.operations.removeFirst(Self.mostOperations / 4)
      }
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
  func walked(_ reading: TableReading) {
    state.withLock { state in
      if state.entries.count + reading.entries.count > Self.mostEntries { state.entries = [:] }
      for entry in reading.entries {
        state.entries[
          entry.place.rawValue,
          default: Entry(gpa: entry.gpa, value: entry.value, size: entry.size, marks: entry.marks)
        ].value = entry.value
        state.entries[entry.place.rawValue]?.gpa = entry.gpa
      }
    }
  }

  /// Makes a vCPU's write, in turn, and notes which entries it changed.
  ///
  /// - Parameters:
  ///   - vcpu: whose write it is.
  ///   - places: where its bytes go.
  ///   - body: moves them.
  ///   - tell: lets the MMU hear of it, after the turn.
  func write<Outcome>(
    by vcpu: Int, to places: [(hpa: HPA, byteCount: Int)], _ body: () -> Outcome,
    tell: () -> Void
  ) -> Outcome {
    var changes: [UInt64] = []
    let outcome = inTurn {
      let touched = places.flatMap { entries(at: $0.hpa, $0.byteCount) }
      let outcome = body()
      state.withLock { state in
        for (address, size, before) in touched {
          guard let after = load(address, size), after != before else { continue }
          changes.append(state.note(address, before: before, after: after, vcpu: vcpu))
          state.entries[address]?.value = after
        }
        state.untold.formUnion(changes)
      }
      return outcome
    }
    tell()
    if !changes.isEmpty { state.withLock { $0.untold.subtract(changes) } }
    return outcome
  }

  /// The known entries that a write touches, and what they hold.
  private func entries(
    at place: HPA, _ byteCount: Int
  ) -> [(address: UInt64, size: Int, value: UInt64)] {
    let first = place.rawValue & ~3
    let end = place.rawValue &+ UInt64(byteCount)
    return state.withLock { state in
      stride(from: first >= 4 ? first - 4 : 0, to: max(end, first), by: 4).compactMap { address in
        guard let entry = state.entries[address], address + UInt64(entry.size) > place.rawValue,
          let value = load(address, entry.size)
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

  /// Notes an invalidation of a second level inside the guest, or of all, that began at a time.
  func invalidated(secondLevel root: GPA?, on vcpu: Int, since time: UInt64) {
    state.withLock { $0.flushes[vcpu, default: Flushes()].note(secondLevel: root, time) }
  }

  /// When the guest, and the hypervisor inside it, last invalidated a page on a vCPU; 0 for never.
  func lastInvalidation(
    of gva: GVA, size: PageSize, tag: UInt16, isGlobal: Bool, secondLevel root: GPA?,
    on vcpu: Int
  ) -> (linear: UInt64, secondLevel: UInt64) {
    state.withLock {
      guard let flushes = $0.flushes[vcpu] else { return (0, 0) }
      let second = flushes.last(ofSecondLevel: root)
      return (max(flushes.last(of: gva, size: size, tag: tag, isGlobal: isGlobal), second), second)
    }
  }

  /// The writes that changed entries which a check has read, oldest first; whether the MMU has heard of
  /// each, and whether it is of the hypervisor's tables.
  func changes(
    of reading: TableReading
  ) -> [(change: Change, isTold: Bool, isSecondLevel: Bool)] {
    state.withLock { state in
      reading.entries.compactMap { entry in
        state.entries[entry.place.rawValue]?.change.map {
          ($0, !state.untold.contains($0.time), entry.isSecondLevel)
        }
      }.sorted { $0.0.time < $1.0.time }
    }
  }

  /// The last that was done to a frame since a time.
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

  private func load(_ address: UInt64, _ size: Int) -> UInt64? {
    if size == 4 { return try? UInt64(host.load(HPA(address), as: UInt32.self).get()) }
    return try? host.load(HPA(address), as: UInt64.self).get()
  }
}

extension TranslationLedger: TranslationListener {
  /// What the MMU did by itself, or was told to do.
  public func translationsChanged(
    _ kind: StaleTranslation.HostOperation.Kind, of frames: Range<GFN>
  ) { note(kind, of: frames) }
}

extension TranslationLedger.State {
  /// - Returns: the time.
  fileprivate mutating func note(
    _ address: UInt64, before: UInt64, after: UInt64, vcpu: Int?
  ) -> UInt64 {
    let time = tick()
    guard let gpa = entries[address]?.gpa else { return time }
    entries[address]?.change = TranslationLedger.Change(
      write: StaleTranslation.TableWrite(
        gpa: gpa, before: before, after: after, vcpu: vcpu, step: step),
      time: time)
    return time
  }
}
