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
  /// MMIO entries that answered for a frame with a memslot; 0 unless a drill lets them (SPEC T2).
  public var mmioMistaken = 0
  /// Compare-exchanges lost.
  public var racesLost = 0
  /// Tables of the guest that got a shadow page of their own (`mmu_cache_miss`).
  public var cacheMisses = 0
  /// Shadow pages given up (`mmu_shadow_zapped`).
  public var pagesZapped = 0
  /// Shadow pages given up because the pool was short (`mmu_recycled`).
  public var recycled = 0
  /// Shadow pages given up because the guest kept writing their table (`mmu_flooded`).
  public var flooded = 0
  /// Leaf tables that were let go out of step (`mmu_unsync`).
  public var unsynced = 0
  /// Leaf tables brought back in step.
  public var synced = 0
  /// Writes to shadowed tables (`mmu_pte_write`).
  public var tableWrites = 0
  /// Entries mapped beside the one that faulted.
  public var prefetched = 0
  /// Invalidations that all vCPUs must see (`remote_tlb_flush`).
  public var remoteFlushes = 0
  /// Leaves given back what tracking had taken, without a new look at the host's memory.
  public var repaired = 0
  /// Large leaves split into 512.
  public var splits = 0

  /// All zero.
  public init() {}

  // PERF: fault.shadow; a comparison with zeroes would copy both.
  /// Whether nothing was counted.
  @inlinable
  var isZero: Bool {
    let faults = fixed | spurious | retried | emulated | repaired | racesLost
    let entries = spteInstalls | tablesLinked | prefetched | splits
    let slots = memslotSearches | mmioCached | mmioSearched | mmioStale | mmioMistaken
    let pages = cacheMisses | pagesZapped | recycled | flooded
    let steps = unsynced | synced | tableWrites | remoteFlushes
    return faults | entries | slots | pages | steps == 0
  }

  /// Adds what others count, and leaves them at zero.
  @usableFromInline
  mutating func take(_ others: inout MMUCounters) {
    self += others
    others = MMUCounters()
  }

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
    left.mmioMistaken += right.mmioMistaken
    left.racesLost += right.racesLost
    left.cacheMisses += right.cacheMisses
    left.pagesZapped += right.pagesZapped
    left.recycled += right.recycled
    left.flooded += right.flooded
    left.unsynced += right.unsynced
    left.synced += right.synced
    left.tableWrites += right.tableWrites
    left.prefetched += right.prefetched
    left.remoteFlushes += right.remoteFlushes
    left.repaired += right.repaired
    left.splits += right.splits
  }
}
