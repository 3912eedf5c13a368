/// The paging-structure caches of one processor: for the entries above the leaves, by the part of the
/// address that selects them, the table that they lead to and what they and those above them grant.
///
/// As on hardware: one cache for each level; entries belong to an address space (the PCID); there are
/// no global ones; an entry is taken only where the path was present, legal and had its A bits set; a
/// walk that is refused drops the entries that it could have used. What a cached entry says holds until
/// it is invalidated, whatever memory says by then. Entries remember the top table besides, so that
/// walks from another root never use them; hardware may.
///
/// **Source** Intel SDM Vol. 3A, "Paging-Structure Caches" and "Invalidation of TLBs and
/// Paging-Structure Caches"; AMD APM Vol. 2, "Translation-Lookaside Buffer (TLB)".
///
/// It pays where reading an entry is dear and addresses follow each other, as in a guest's sequential
/// walk through a second level; over tables in plain memory a look-up costs more than the loads that
/// it saves (`walk.cached.*`, `walk.2d.cached.*` of `make bench`). A machine, whose TLB answers what is
/// near already, has none.
///
/// Direct-mapped, allocated once. Invariant: the slots of a level are its row, and none is elsewhere.
@safe
public struct StructureCache<Rights: Sendable>: ~Copyable {
  /// What a walk may skip: the table to go on with, and what the way to it grants.
  @frozen
  @usableFromInline
  struct Slot {
    @usableFromInline let path: TablePrefix
    @usableFromInline let table: UInt64
    @usableFromInline let rights: Rights

    @inlinable
    init(path: TablePrefix, table: UInt64, rights: Rights) {
      self.path = path
      self.table = table
      self.rights = rights
    }
  }

  @usableFromInline let slots: UnsafeMutableBufferPointer<Slot?>
  @usableFromInline let rowMask: UInt64
  @usableFromInline let rowShift: Int
  /// How many walks began below the root.
  public var hits: Int { hitCount }
  /// How many walks were looked up.
  public var lookUps: Int { lookUpCount }
  @usableFromInline var hitCount = 0
  @usableFromInline var lookUpCount = 0

  /// The levels that entries above a leaf can have: 2...6.
  @usableFromInline static var rows: Int { TablePrefix.highest.rawValue - 1 }

  /// Empty caches.
  ///
  /// - Parameter entriesPerLevel: rounded up to a power of two, 1...65536.
  public init(entriesPerLevel: Int = 32) {
    var shift = 0
    while 1 << shift < min(entriesPerLevel, 1 << 16) { shift += 1 }
    rowShift = shift
    rowMask = 1 << UInt64(shift) - 1
    // SAFETY: allocated and filled here, freed in `deinit`.
    unsafe slots = .allocate(capacity: Self.rows << shift)
    unsafe slots.initialize(repeating: nil)
  }

  deinit {
    // SAFETY: what `init` allocated and filled.
    unsafe slots.deinitialize()
    unsafe slots.deallocate()
  }

  /// Where an entry of a level is kept. **Requires** a level of 2...6.
  @inlinable
  @inline(__always)
  func place(_ path: TablePrefix, _ level: Level) -> Int {
    let mixed = path.indices ^ path.indices &>> 12 ^ path.root &>> 12 ^ UInt64(path.tag)
    let column = Int(truncatingIfNeeded: mixed & rowMask)
    return (level.rawValue &- 2) &<< rowShift | column
  }

  @inlinable
  @inline(__always)
  func find(_ path: TablePrefix, _ level: Level) -> Slot? {
    // SAFETY: the level's row, and a column within it.
    guard let slot = unsafe slots[place(path, level)], slot.path == path else { return nil }
    return slot
  }

  @inlinable
  mutating func insert(_ slot: Slot, at level: Level) {
    // SAFETY: as above.
    unsafe slots[place(slot.path, level)] = slot
  }

  @inlinable
  mutating func remove(_ path: TablePrefix, _ level: Level) {
    guard find(path, level) != nil else { return }
    // SAFETY: as above.
    unsafe slots[place(path, level)] = nil
  }

  @inlinable
  mutating func count(hit: Bool) {
    lookUpCount &+= 1
    if hit { hitCount &+= 1 }
  }

  /// Drops what an instruction or event drops (SPEC W16): of a page, everything of its address space.
  ///
  /// Formats are not looked at: a change that has no `TLBInvalidation` of its own (another second level
  /// under the walks, another mode) needs `.everything`.
  public mutating func invalidate(_ scope: TLBInvalidation) {
    switch scope {
    case .nothing: break
    case .page(_, let tag), .nonGlobals(let tag): drop { $0.path.tag == tag }
    case .allNonGlobals, .everything: drop { _ in true }
    }
  }

  private mutating func drop(where condition: (Slot) -> Bool) {
    for index in unsafe slots.indices {
      if let slot = unsafe slots[index], condition(slot) { unsafe slots[index] = nil }
    }
  }
}

/// The way from a root to an entry: what selects a slot of a paging-structure cache.
@frozen
@usableFromInline
struct TablePrefix: Hashable {
  /// The top table.
  @usableFromInline let root: UInt64
  /// The index in each table down to the entry's, twelve bits each.
  @usableFromInline let indices: UInt64
  @usableFromInline let tag: UInt16

  @inlinable
  init(root: UInt64, indices: UInt64, tag: UInt16) {
    self.root = root
    self.indices = indices
    self.tag = tag
  }

  /// The highest level whose indices have room.
  @inlinable
  static var highest: Level { Level(6) }
  /// The largest index that has room.
  @inlinable
  static var largestIndex: UInt64 { 0xFFF }
}
