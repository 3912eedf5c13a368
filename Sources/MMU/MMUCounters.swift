/// What one vCPU's faults amounted to, in KVM's words where it has them. **Units** events.
public struct MMUCounters: Sendable, Hashable {
  /// Faults that changed an entry (`pf_fixed`).
  public var fixed = 0
  /// Faults whose access was allowed already (`pf_spurious`).
  public var spurious = 0
  /// Faults that ended because something changed meanwhile.
  public var retried = 0
  /// Accesses handed to the MMIO bus (`pf_emulate`).
  public var emulated = 0
  /// Leaves and MMIO entries written.
  public var spteInstalls = 0
  /// Table pages linked.
  public var tablesLinked = 0
  /// Look-ups in the memslots.
  public var memslotSearches = 0
  /// MMIO answered by a cached entry or the vCPU's last MMIO address.
  public var mmioCached = 0
  /// MMIO found by a search of the memslots.
  public var mmioSearched = 0
  /// MMIO entries found to be of an older generation.
  public var mmioStale = 0
  /// Compare-exchanges lost.
  public var racesLost = 0
  /// Leaves given back what tracking had taken, without a new look at the host's memory.
  public var repaired = 0
  /// Large leaves split into 512.
  public var splits = 0

  /// All zero.
  public init() {}

  /// Sums.
  public static func += (left: inout MMUCounters, right: MMUCounters) {
    left.fixed += right.fixed
    left.spurious += right.spurious
    left.retried += right.retried
    left.emulated += right.emulated
    left.spteInstalls += right.spteInstalls
    left.tablesLinked += right.tablesLinked
    left.memslotSearches += right.memslotSearches
    left.mmioCached += right.mmioCached
    left.mmioSearched += right.mmioSearched
    left.mmioStale += right.mmioStale
    left.racesLost += right.racesLost
    left.repaired += right.repaired
    left.splits += right.splits
  }
}
