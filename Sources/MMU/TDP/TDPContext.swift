public import Paging

/// What one vCPU keeps for the TDP MMU.
public struct TDPContext: Sendable {
  /// The vCPU's number.
  public let index: Int
  /// The root table in use.
  public internal(set) var root: PFN
  /// What the vCPU's faults amounted to.
  public var counters = MMUCounters()
  @usableFromInline
  var rootEpoch: UInt64
  /// How often generations had wrapped when the root's first MMIO entry was made.
  @usableFromInline
  var rootEra: UInt64
  @usableFromInline
  var slots: MemslotTable
  @usableFromInline
  var generation: UInt64
  @usableFromInline
  var slotHint = 0
  /// The last MMIO frame, answered first while its generation lasts (SPEC F2).
  @usableFromInline var lastMMIO: (gfn: GFN, generation: UInt64)?

  init(index: Int, _ root: (root: PFN, epoch: UInt64, era: UInt64)) {
    self.index = index
    (self.root, rootEpoch, rootEra) = root
    slots = .empty
    // As if an update were under way: the first fault takes the slots.
    generation = GuestMemory.updateInProgress
  }
}
