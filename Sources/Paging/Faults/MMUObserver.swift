/// Something that happened inside the MMU.
public enum MMUEvent: Sendable, Hashable {
  /// A vCPU left the guest; what the hardware said of it, in words.
  case exit(ExitCause, String)
  /// A memslot was looked up; `found` says whether one holds the frame.
  case memslotSearch(gfn: GFN, found: Bool)
  /// A table page was linked.
  case tableLinked(level: Level, gfn: GFN, spte: SPTE)
  /// A leaf was installed.
  case leafInstalled(level: Level, gfn: GFN, old: SPTE, new: SPTE)
  /// An MMIO entry was installed.
  case mmioInstalled(gfn: GFN, spte: SPTE, generation: UInt64)
  /// An MMIO entry answered, without a memslot search.
  case mmioHit(gfn: GFN, spte: SPTE, generation: UInt64)
  /// An MMIO entry of an older generation was found; the fault goes on in full.
  case mmioStale(gfn: GFN, entryGeneration: UInt64, generation: UInt64)
  /// A policy said something other than "go on".
  case verdict(FaultVerdict, gpa: GPA)
  /// A compare-exchange on an entry was lost to somebody else.
  case raceLost(level: Level, gfn: GFN)
  /// All roots became invalid.
  case rootsInvalidated
}

/// Listens to what an MMU does.
///
/// `listens` is a compile-time constant of the type: with `NoObserver` no event is even built.
public protocol MMUObserver: Sendable {
  /// Whether events are wanted at all.
  static var listens: Bool { get }
  /// Called for each event, on the thread that caused it.
  borrowing func observe(_ event: MMUEvent)
}

/// Nobody listens.
@frozen
public struct NoObserver: MMUObserver {
  /// No.
  @inlinable
  public static var listens: Bool { false }
  /// Nobody.
  @inlinable
  public init() {}
  /// Ignores the event.
  @inlinable
  public func observe(_ event: MMUEvent) {}
}
