public import Paging

/// What an MMU that shadows tables knows besides its pages; guarded by its lock.
@usableFromInline
struct ShadowState<Entries: GuestEntryFormat> {
  /// How guests' entries are read; roles hold the numbers.
  @usableFromInline var formats: [Entries] = []
  /// The pages that may be out of step with their table.
  @usableFromInline var unsyncPages: [ShadowPage] = []
  /// The pages above guests' highest tables, which no frame and role name.
  @usableFromInline var topRoots: [ShadowRootKey: ShadowPage] = [:]
  /// The memslots of each address space as they were taken last.
  @usableFromInline var slots: InlineArray<2, ShadowSlots>
  /// Frames that the host is taking away just now (SPEC F10).
  @usableFromInline var activeNotifiers: [Range<GFN>] = []
  var notifierSequence: UInt64 = 0
  /// Counts of the call under way; those of no vCPU wait for the next.
  @usableFromInline var tally = MMUCounters()
  @usableFromInline var needsFlush = false
  /// Why leaves go just now, for those who look for stale translations.
  @usableFromInline var reason = StaleTranslation.HostOperation.Kind.tableSync
  /// Counts faults, which is the age of pages. **Units** faults.
  @usableFromInline var faultCount: UInt64 = 0
  /// What a policy was last shown when the pool was short; kept for its room.
  var zapCandidates: [ZapCandidate] = []
  @usableFromInline var isListening = false
  @usableFromInline var events: [MMUEvent] = []

  init(_ memory: GuestMemory) {
    slots = InlineArray { ShadowSlots(memory.slots(of: AddressSpace(rawValue: $0) ?? .normal)) }
  }

}

/// The memslots of one address space as a shadow MMU took them last.
@usableFromInline
struct ShadowSlots {
  @usableFromInline var table: MemslotTable
  @usableFromInline var hint = 0
  /// As if an update were under way: the first call takes the slots.
  @usableFromInline var generation = GuestMemory.updateInProgress
  /// How often the generations that MMIO entries can hold have wrapped.
  @usableFromInline var era: UInt64 = 0

  init(_ table: MemslotTable) { self.table = table }

  /// Whether the slots are being changed just now.
  @inlinable var isUpdating: Bool { generation & GuestMemory.updateInProgress != 0 }

  /// The slot of a frame.
  @inlinable
  @inline(__always)  // PERF: sync.shadow; a slot is returned through memory otherwise.
  mutating func slot(for gfn: GFN) -> PlainMemslot? {
    table.plain.slot(for: gfn, hint: &hint)
  }
}

extension ShadowMMU {
  /// A guest's table as its entries are read, for many of them.
  @usableFromInline
  struct GuestTable {
    @usableFromInline let format: Guest.Entries
    /// **Units** bytes.
    @usableFromInline let entrySize: Int
    /// Where it lies in host memory; `nil` where no slot holds it.
    @usableFromInline let place: HPA?

    @inlinable
    init(format: Guest.Entries, place: HPA?) {
      self.format = format
      entrySize = format.entrySize
      self.place = place
    }
  }
}
