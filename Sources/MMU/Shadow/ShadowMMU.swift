public import Paging
public import Synchronization

/// Shadow paging: the guest's tables are never walked by hardware; ours, which follow them, are.
///
/// The tables are a processor's own page tables, and then this is a machine's whole MMU
/// (`VirtualMMU`); or they are the second level that a hypervisor inside the guest made for a guest of
/// its own, and `NestedMMU` is the machine's.
///
/// One lock guards everything, as KVM's `mmu_lock` does: each public function takes it once, and each
/// internal one requires it. Invariants, checked by `audit()`:
///
/// - a page that shadows a guest's table keeps its frame write-tracked, unless it is unsync;
/// - every entry of a page that is not unsync agrees with the guest's entry of this moment;
/// - every leaf is in the reverse map of its frame, and nothing else is;
/// - every table entry is among its child's parents, and nothing else is.
///
/// A vCPU that uses a translation without the lock says so (`TableWalkers`). Before a table is read to
/// bring it in step, and before the host changes what is behind a page, stores that are under way have
/// landed.
///
/// **Source** KVM behaviour (the shadow MMU); SPEC F1–F18.
public final class ShadowMMU<Guest: ShadowedGuest, Encoder: SPTEEncoder, Policy: MMUPolicy>:
  @unchecked Sendable
{
  /// An access that the shadow did not let through.
  public typealias Exit = ShadowExit<Guest.Input, Guest.Access>
  /// What one vCPU keeps.
  public typealias CPU = ShadowContext<Guest>

  /// Who writes the entries.
  public let encoder: Encoder
  /// Who is asked about faults.
  public let policy: Policy
  /// The guest's memory.
  public let memory: GuestMemory
  /// What the composer chose.
  public let options: ShadowOptions
  @usableFromInline let pool: TablePool
  @usableFromInline let host: HostView
  @usableFromInline let lock = Mutex(())
  /// Who may be using translations now, and the epoch that flushes open.
  @usableFromInline let walkers = TableWalkers()

  @usableFromInline let registry: ShadowPageRegistry
  @usableFromInline let reverseMap: ReverseMap
  /// What the lock guards besides pages.
  @usableFromInline let lockedState: LockedState<ShadowState<Guest.Entries>>
  /// What was written from outside and nobody has looked at yet.
  @usableFromInline let outsideWrites = Mutex<[(gpa: GPA, byteCount: Int)]>([])
  /// Whether there may be some of them, so that nobody takes their lock for nothing.
  @usableFromInline let hasOutsideWrites = Atomic(false)

  /// What the lock guards besides pages.
  @inlinable
  var state: ShadowState<Guest.Entries> {
    // SAFETY: as `LockedState.value`.
    @inline(__always) unsafeAddress { unsafe UnsafePointer(lockedState.place) }
    @inline(__always) unsafeMutableAddress { unsafe lockedState.place }
  }

  /// An MMU without any table.
  public init(
    encoder: Encoder, policy: Policy, memory: GuestMemory, pool: TablePool,
    options: ShadowOptions = ShadowOptions()
  ) {
    self.encoder = encoder
    self.policy = policy
    self.memory = memory
    self.pool = pool
    self.options = options
    host = memory.host.view
    registry = ShadowPageRegistry(first: pool.first)
    reverseMap = ReverseMap(of: registry)
    lockedState = LockedState(ShadowState(memory))
    memory.track(by: OutsideWrites { [weak self] in self?.memoryWritten($0, byteCount: $1) })
  }

  /// Table pages in use. **Units** pages.
  public var tablePages: Int { pool.inUse }

  /// Where the table pages lie.
  public var tableRange: Range<HPA>? { pool.range }

  /// A vCPU without a root; it gets one when its registers are known.
  public func makeCPU(index: Int) -> ShadowContext<Guest> {
    ShadowContext(index: index, walkers.register())
  }

  /// What the vCPU's faults amounted to.
  public func counters(of cpu: ShadowContext<Guest>) -> MMUCounters { cpu.counters }

  /// Runs under the lock; what was counted goes to the vCPU, what happened to the observer.
  @inlinable
  func locked<Outcome>(
    _ cpu: inout CPU, _ observer: borrowing some MMUObserver, _ body: (inout CPU) -> Outcome
  ) -> Outcome {
    var outcome: Outcome?
    var happened: [MMUEvent] = []
    let listens = type(of: observer).listens
    // Whoever has the lock may wait for those who are inside.
    let wasInside = cpu.insideEpoch != 0
    if wasInside { exit(&cpu) }
    lock.withLock { _ in
      state.isListening = listens
      followOutsideWrites()
      outcome = body(&cpu)
      followOutsideWrites()
      announceFlush()
      if !state.tally.isZero { cpu.counts.take(&state.tally) }
      if state.isListening {
        happened = state.events
        state.events = []
        state.isListening = false
      }
      // What was found is used after the lock: whoever takes it next has to see that.
      if wasInside { announce(&cpu) }
    }
    for event in happened { observer.observe(event) }
    guard let outcome else { preconditionFailure("the lock did not run its body") }
    return outcome
  }

  /// Runs under the lock for nobody in particular.
  func locked(_ body: () -> Void) {
    lock.withLock { _ in
      followOutsideWrites()
      body()
      announceFlush()
    }
  }

  /// Makes every vCPU empty its TLB before it goes on.
  @inlinable
  func announceFlush() {
    guard state.needsFlush else { return }
    state.needsFlush = false
    state.tally.remoteFlushes += 1
    notify(.remoteFlush)
    walkers.epoch.add(1, ordering: .sequentiallyConsistent)
  }

  @inlinable
  func notify(_ event: @autoclosure () -> MMUEvent) {
    if state.isListening { state.events.append(event()) }
  }

  @inlinable
  func load(_ place: HPA) -> SPTE {
    guard case .success(let raw) = host.load(place, as: UInt64.self) else {
      return encoder.layout.nonPresent
    }
    return SPTE(raw)
  }

  /// Replaces an entry; hardware may set A and D in it meanwhile.
  ///
  /// - Returns: what it held.
  @inlinable
  @discardableResult
  func store(_ place: HPA, _ spte: SPTE) -> SPTE {
    guard case .success(let raw) = host.swap(place, to: spte.rawValue) else { return spte }
    let old = SPTE(raw)
    assert(breach(storing: spte, over: old, at: place) == nil, "SPTE \(spte) over \(old)")
    return old
  }

  /// Fills an entry that maps nothing, in which hardware has nothing to mark.
  @inlinable
  func fill(_ place: HPA, _ spte: SPTE) {
    // PERF: fault.shadow; nobody else changes such an entry, so that it takes no exchange.
    assert(!encoder.isPresent(load(place)), "SPTE \(load(place)) is in use")
    assert(breach(storing: spte, over: load(place), at: place) == nil, "SPTE \(spte)")
    host.store(place, spte.rawValue)
  }

  /// What debug builds ask of a store (SPEC E4).
  @usableFromInline
  func breach(storing spte: SPTE, over old: SPTE, at place: HPA) -> String? {
    registry.page(at: place.frame).flatMap {
      encoder.breach(storing: spte, over: old, at: $0.role.level)
    }
  }
}

/// Hands on what is written to guest memory from outside.
private struct OutsideWrites: WriteTracker {
  let body: @Sendable (GPA, Int) -> Void

  func memoryWritten(_ gpa: GPA, byteCount: Int) { body(gpa, byteCount) }
}
