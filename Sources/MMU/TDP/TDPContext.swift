public import Paging

/// What one vCPU keeps for the TDP MMU.
public struct TDPContext: Sendable {
  /// The vCPU's number.
  public let index: Int
  /// The root table in use.
  public internal(set) var root: PFN
  /// Which slots the vCPU sees.
  public internal(set) var space = AddressSpace.normal
  /// What the vCPU's faults amounted to.
  public var counters = MMUCounters()
  @usableFromInline var rootEpoch: UInt64
  /// How often generations had wrapped when the root's first MMIO entry was made.
  @usableFromInline var rootEra: UInt64
  /// The slots of the last look; keeps `plainSlots` alive.
  @usableFromInline var slots: MemslotTable {
    didSet { plainSlots = slots.plain }
  }
  /// The same for faults.
  @usableFromInline private(set) var plainSlots: PlainMemslots
  @usableFromInline var generation: UInt64
  @usableFromInline var slotHint = 0
  /// The pages this vCPU wrote, where rings are used.
  public let dirtyRing: DirtyRing?
  /// Addresses that hardware logs while a slot asks for it.
  @usableFromInline let modificationLog: ModificationLog
  /// Where the vCPU announces that it is inside.
  @usableFromInline let place: TableWalkers.Place
  /// The epoch of the last entry; a later one means that the TLB is stale.
  @usableFromInline var epoch: UInt64 = 0
  /// That epoch while the vCPU is inside, 0 while it is outside.
  @usableFromInline var insideEpoch: UInt64 = 0
  @usableFromInline var needsFlush = false
  /// The last MMIO frame, answered first while its generation lasts (SPEC F2).
  @usableFromInline var lastMMIO: (gfn: GFN, generation: UInt64)?
  /// Where the processor writes what a #VE is about; `nil` for a vCPU that takes none.
  @usableFromInline let exceptionArea: HPA?
  /// What the vCPU's last exit was about, where it was a #VE.
  public internal(set) var lastException: VirtualizationExceptionArea?

  init(
    index: Int, _ root: (root: PFN, epoch: UInt64, era: UInt64), place: TableWalkers.Place,
    ring: DirtyRing?, modificationLog: ModificationLog, exceptionArea: HPA? = nil
  ) {
    self.exceptionArea = exceptionArea
    self.index = index
    self.place = place
    dirtyRing = ring
    self.modificationLog = modificationLog
    (self.root, rootEpoch, rootEra) = root
    slots = .empty
    plainSlots = MemslotTable.empty.plain
    // As if an update were under way: the first fault takes the slots.
    generation = GuestMemory.updateInProgress
  }
}
