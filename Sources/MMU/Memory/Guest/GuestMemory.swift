public import Paging
import Synchronization

/// Guest physical memory: host memory, the memslots that show it to the guest, and their generation.
///
/// Readers take a whole `MemslotTable`; a change publishes a new one and a new generation. While a
/// change is under way the generation carries a flag, and no MMIO entry is used or made (SPEC F2).
///
/// A machine with system-management mode has a second address space: its own slots, as SMRAM is, and of
/// the first's what these leave. Each has a generation of its own (SPEC T2).
public final class GuestMemory: Sendable {
  /// The reservation.
  public let host: HostMemory
  /// Which frames are private.
  public let attributes = MemoryAttributes()
  @usableFromInline let normal: MemslotSpace
  @usableFromInline let management: MemslotSpace?
  /// The slots that system-management mode alone sees.
  private let managementSlots = Guarded<MemslotTable>(.empty)
  /// Held for a whole update, so that updates come one after another.
  private let updating = Guarded(())
  private let tracker = Guarded<(any WriteTracker)?>(nil)
  /// Whom MMUs tell of what they do to translations.
  @usableFromInline let changes = TranslationChanges()
  /// Whether there is a tracker, so that nobody takes its lock for nothing.
  private let hasTracker = Atomic(false)

  /// Bit 63 of the generation: an update is in progress.
  public static let updateInProgress: UInt64 = 1 << 63

  /// Guest memory without slots.
  ///
  /// - Parameters:
  ///   - host: the memory that backs it.
  ///   - generation: the first; its lowest bit is the space's where there are two.
  ///   - hasSystemManagement: whether there is a second address space.
  public init(host: HostMemory, generation: UInt64 = 1, hasSystemManagement: Bool = false) {
    self.host = host
    let count: UInt64 = hasSystemManagement ? 2 : 1
    normal = MemslotSpace(generation: generation, number: 0, of: count)
    management =
      hasSystemManagement ? MemslotSpace(generation: generation, number: 1, of: count) : nil
  }

  /// The generation of the first space now, with the flag.
  public var generation: UInt64 { normal.generation }

  /// The slots of the first space now.
  public var slots: MemslotTable { normal.slots }

  /// Whether there is a second address space.
  @usableFromInline var hasSystemManagement: Bool { management != nil }

  /// The spaces that the machine has.
  public var spaces: [AddressSpace] { management == nil ? [.normal] : AddressSpace.allCases }

  /// The slots of a space now; those of the first where the machine lacks it.
  public func slots(of space: AddressSpace) -> MemslotTable { self[space].slots }

  /// The generation of a space now, with the flag.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1
  public func generation(of space: AddressSpace) -> UInt64 {
    // Each space by a path of its own, so that no reference is counted.
    if space == .systemManagement, let management { return management.generation }
    return normal.generation
  }

  /// Every slot now, whole, whichever space sees it.
  public var allSlots: [Memslot] { slots.slots + managementSlots.withLock { $0.slots } }

  /// The slot with a number, whole, whichever space sees it.
  public func slot(id: Int) -> Memslot? {
    slots[id: id] ?? managementSlots.withLock { $0[id: id] }
  }

  /// The slots of every space now, by the space's number.
  @usableFromInline
  var spaceSlots: [MemslotTable] { spaces.map { slots(of: $0) } }

  private subscript(space: AddressSpace) -> MemslotSpace {
    space == .systemManagement ? management ?? normal : normal
  }

  /// Whether somebody changes slots at this moment.
  var isUpdating: Bool { !updating.isFree }

  /// Waits until nobody changes slots, or converts frames.
  func settle() {
    updating.withLock { _ in }
    attributes.settle()
  }

  /// Feeds the generations, and what the slots show.
  func hash(into hasher: inout Hasher) {
    for space in spaces {
      hasher.combine(generation(of: space))
      for slot in slots(of: space).slots {
        hasher.combine(slot.id)
        hasher.combine(slot.base)
        hasher.combine(slot.frameCount)
        hasher.combine(slot.host)
        hasher.combine(slot.privateHost)
        hasher.combine(slot.flags)
        hasher.combine(slot.backing)
        hasher.combine(slot.activeLog?.method)
      }
    }
  }

  /// Changes the slots of all spaces as one step. Updates wait for one another, so neither closure may
  /// update. A slot is then backed by pages no larger than what the host has behind it.
  ///
  /// - Parameters:
  ///   - change: makes the new table of the old; that of the first space.
  ///   - invalidate: called between publication and the end of the update, to drop what tables held
  ///     of the old slots; gets the first space's new generation.
  /// - Throws: what `change` throws, or `duplicate` where system-management mode has a slot of the same
  ///   number; then nothing happened, but the generations moved on.
  public func update(
    _ change: (MemslotTable) throws(MemslotError) -> MemslotTable,
    invalidate: (UInt64) -> Void = { _ in }
  ) throws(MemslotError) {
    try updating.withLock { _ throws(MemslotError) in
      let next = normal.begin()
      let nextManagement = management?.begin()
      defer {
        normal.end(next)
        if let nextManagement { management?.end(nextManagement) }
      }
      let table = try change(normal.slots).limited(by: host)
      if let management {
        management.slots = try MemslotTable(managementSlots.withLock { $0 }, hiding: table)
      }
      normal.slots = table
      invalidate(next)
    }
  }

  /// Changes the slots that system-management mode alone sees, as one step; otherwise as `update`.
  ///
  /// - Throws: also `unknownSpace` where the machine has no such mode.
  public func updateManagement(
    _ change: (MemslotTable) throws(MemslotError) -> MemslotTable,
    invalidate: (UInt64) -> Void = { _ in }
  ) throws(MemslotError) {
    try updating.withLock { _ throws(MemslotError) in
      guard let management else { throw .unknownSpace }
      let next = management.begin()
      defer { management.end(next) }
      let own = try change(managementSlots.withLock { $0 }).limited(by: host)
      management.slots = try MemslotTable(own, hiding: normal.slots)
      managementSlots.withLock { $0 = own }
      invalidate(next)
    }
  }

  /// Puts the slots of before in force.
  ///
  /// - Parameter saved: the slots of each space, those that system-management mode alone sees, and the
  ///   generations of then; without generations they become ones that were never used.
  func put(back saved: SavedSlots, withGenerations: Bool) {
    updating.withLock { _ in
      managementSlots.withLock { $0 = saved.managementOnly }
      for (space, slots, generation) in saved.spaces {
        let next = self[space].begin()
        self[space].slots = slots
        self[space].end(withGenerations ? generation : next)
      }
    }
  }

  /// How often a lock of the memslots or the attributes was taken.
  var lockUses: UInt64 {
    normal.lockUses &+ (management?.lockUses ?? 0) &+ managementSlots.uses &+ updating.uses
      &+ tracker.uses &+ attributes.lockUses
  }

  /// The slots of all spaces at one moment.
  struct SavedSlots: Sendable {
    let spaces: [(AddressSpace, MemslotTable, UInt64)]
    let managementOnly: MemslotTable
  }

  /// The slots of all spaces now.
  var savedSlots: SavedSlots {
    SavedSlots(
      spaces: spaces.map { ($0, slots(of: $0), generation(of: $0)) },
      managementOnly: managementSlots.withLock { $0 })
  }
}

extension GuestMemory {
  /// The host address of a guest address, or `nil` where no backed slot holds it.
  public func hpa(of gpa: GPA, in space: AddressSpace = .normal) -> HPA? {
    var hint = 0
    return slots(of: space).slot(for: gpa.frame, hint: &hint)?.pfn(of: gpa.frame).map {
      $0.baseAddress.wrappingAdd(gpa.offset(in: .size4KiB))
    }
  }

  /// A handle for walks by software: guest tables read through the slots of this moment.
  public var view: GuestView {
    view(of: .normal)
  }

  /// As `view`, through the slots of a space.
  public func view(of space: AddressSpace) -> GuestView {
    // PERF: access.mmio.cached; a second lock otherwise.
    let tracker = hasTracker.load(ordering: .acquiring) ? tracker.withLock { $0 } : nil
    return GuestView(slots: slots(of: space), host: host.view, tracker: tracker)
  }

  /// A view whose writes nobody hears of: for the tracker itself.
  @usableFromInline
  var untrackedView: GuestView { GuestView(slots: slots, host: host.view, tracker: nil) }

  /// A view of what is there: pages that are missing are holes, and nobody is asked for them.
  public var presentView: GuestView {
    GuestView(slots: slots, host: host.view, tracker: nil, asksForPages: false)
  }

  /// Has every write through views from now on told to an MMU that shadows tables. The memory does
  /// not keep it alive.
  public func track(by tracker: some WriteTracker) {
    self.tracker.withLock { $0 = tracker }
    hasTracker.store(true, ordering: .releasing)
  }
}
