public import Paging

/// What a run came to.
public struct RunSummary: Sendable {
  /// Steps run.
  public var steps = 0
  /// Steps whose expectations hold.
  public var passed = 0
  /// Steps with one that does not.
  public var failed = 0
  /// Exits by cause.
  public var exits: [(cause: ExitCause, count: Int)] = []
  /// Translations found in TLBs.
  public var tlbHits = 0
  /// Translations walked for.
  public var tlbMisses = 0
  /// Exceptions raised in the guest, by vector.
  public var faults: [(vector: UInt8, count: Int)] = []
  /// Leaves and MMIO entries written.
  public var spteInstalls = 0
  /// Table pages in use at the end.
  public var tablePages = 0
  /// MMIO accesses answered by a cached entry.
  public var mmioCached = 0
  /// MMIO accesses that searched the memslots.
  public var mmioSearched = 0
  /// Pages that came from elsewhere, and those that are missing still; `nil` without such slots.
  public var missingPages: (fetched: Int, remaining: Int)?
  /// Stale translations that were used, by who had to flush; `nil` where they are not looked for.
  public var staleTranslations: [StaleTranslation.Verdict: Int]?
  /// What plugins counted.
  public var pluginCounters: [(name: String, count: UInt64)] = []
}
