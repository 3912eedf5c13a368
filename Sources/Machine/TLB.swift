public import MMU
public import Paging

/// The size and shape of a TLB.
public struct TLBGeometry: Sendable, Hashable {
  /// **Units** entries of 4 KiB.
  public let entries: Int
  /// Entries that one address may be in.
  public let ways: Int

  /// A shape.
  ///
  /// - Returns: `nil` unless both are positive, at most 2^20 entries, and `entries / ways` is a power
  ///   of two.
  public init?(entries: Int, ways: Int) {
    guard entries > 0, entries <= 1 << 20, ways > 0, ways <= entries, entries % ways == 0,
      (entries / ways).nonzeroBitCount == 1
    else { return nil }
    self.entries = entries
    self.ways = ways
  }

  /// 1,536 entries in 6 ways, as in many server processors.
  public static let standard = TLBGeometry(unchecked: 1536, ways: 6)

  @inlinable
  init(unchecked entries: Int, ways: Int) {
    self.entries = entries
    self.ways = ways
  }
}

/// One cached translation of 4 KiB.
@frozen
public struct TLBEntry<Rights: Sendable>: Sendable {
  /// The guest virtual page number.
  public let page: UInt64
  /// The address space.
  public let tag: UInt16
  /// Whether all address spaces share it.
  public let isGlobal: Bool
  /// What the walk found; its addresses are those of the 4 KiB page.
  public let translation: HardwareTranslation<Rights>

  /// A translation of one page.
  @inlinable
  public init(
    page: UInt64, tag: UInt16, isGlobal: Bool, translation: HardwareTranslation<Rights>
  ) {
    self.page = page
    self.tag = tag
    self.isGlobal = isGlobal
    self.translation = translation
  }
}

/// A set-associative TLB of 4 KiB fragments, replaced first in, first out.
///
/// Large pages are cached by fragments; each remembers its guest page's size, so that INVLPG drops
/// every fragment of a large page (SPEC W16).
@safe
public struct TLB<Rights: Sendable>: ~Copyable {
  @usableFromInline let storage: UnsafeMutableBufferPointer<TLBEntry<Rights>?>
  @usableFromInline let nextWay: UnsafeMutableBufferPointer<UInt32>
  @usableFromInline let setMask: UInt64
  @usableFromInline let ways: Int
  /// Whether any entry since the last full flush is a fragment of a large page.
  @usableFromInline var holdsFragments = false

  /// An empty TLB.
  @inlinable
  public init(_ geometry: TLBGeometry) {
    let sets = geometry.entries / geometry.ways
    unsafe storage = .allocate(capacity: geometry.entries)
    unsafe storage.initialize(repeating: nil)
    unsafe nextWay = .allocate(capacity: sets)
    unsafe nextWay.initialize(repeating: 0)
    setMask = UInt64(sets - 1)
    ways = geometry.ways
  }

  deinit {
    unsafe storage.deinitialize()
    unsafe storage.deallocate()
    unsafe nextWay.deallocate()
  }

  /// The entry for an address in an address space.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func lookUp(_ gva: GVA, tag: UInt16) -> TLBEntry<Rights>? {
    let page = gva.rawValue &>> 12
    let first = Int(truncatingIfNeeded: page & setMask) &* ways
    for way in 0..<ways {
      // SAFETY: the set is masked, so the index is below the number of entries.
      if let entry = unsafe storage[first &+ way], entry.page == page,
        entry.isGlobal || entry.tag == tag
      {
        return entry
      }
    }
    return nil
  }

  /// Caches a translation, in place of an older one of the same page.
  @inlinable
  public mutating func insert(_ entry: TLBEntry<Rights>) {
    let set = Int(entry.page & setMask)
    let first = set * ways
    if entry.translation.guestPageSize > .size4KiB { holdsFragments = true }
    var way: Int?
    for candidate in 0..<ways {
      // SAFETY: as in `lookUp`.
      guard let old = unsafe storage[first + candidate] else {
        way = way ?? candidate
        continue
      }
      if old.page == entry.page, old.isGlobal || old.tag == entry.tag {
        way = candidate
        break
      }
    }
    if way == nil {
      way = unsafe Int(nextWay[set])
      unsafe nextWay[set] = UInt32((Int(nextWay[set]) + 1) % ways)
    }
    unsafe storage[first + (way ?? 0)] = entry
  }

  /// Drops what an instruction or event drops.
  @inlinable
  public mutating func invalidate(_ scope: TLBInvalidation) {
    switch scope {
    case .nothing: break
    case .page(let gva, let tag): invalidate(page: gva, tag: tag)
    case .nonGlobals(let tag): drop { !$0.isGlobal && $0.tag == tag }
    case .allNonGlobals: drop { !$0.isGlobal }
    case .everything:
      drop { _ in true }
      holdsFragments = false
    }
  }

  /// Drops one page and, where it is a fragment, its siblings.
  @inlinable
  mutating func invalidate(page gva: GVA, tag: UInt16) {
    func concerns(_ entry: TLBEntry<Rights>) -> Bool {
      let mask = entry.translation.guestPageSize.offsetMask &>> 12
      return entry.page & ~mask == gva.rawValue &>> 12 & ~mask
        && (entry.isGlobal || entry.tag == tag)
    }
    if holdsFragments { return drop(where: concerns) }
    let first = Int(gva.rawValue &>> 12 & setMask) * ways
    for index in first..<(first + ways) {
      if let entry = unsafe storage[index], concerns(entry) { unsafe storage[index] = nil }
    }
  }

  @inlinable
  mutating func drop(where condition: (TLBEntry<Rights>) -> Bool) {
    for index in unsafe storage.indices {
      if let entry = unsafe storage[index], condition(entry) { unsafe storage[index] = nil }
    }
  }
}
