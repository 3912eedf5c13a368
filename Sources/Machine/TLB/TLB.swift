public import Paging

/// A set-associative TLB of 4 KiB fragments, replaced first in, first out.
///
/// Large pages are cached by fragments; each remembers its guest page's size, so that INVLPG drops
/// every fragment of a large page (SPEC W16).
@safe
public struct TLB<Rights: Sendable & BitwiseCopyable>: ~Copyable {
  // PERF: tlb.hit; the page numbers of a set share a cache line, and one compare each tells an empty
  // place, another page and the page.

  /// The guest virtual page number in each place, or `noPage`.
  @usableFromInline let pages: UnsafeMutablePointer<UInt64>
  /// What is cached in the places that hold a page; the others are not initialised.
  @usableFromInline let entries: UnsafeMutablePointer<TLBEntry<Rights>>
  @usableFromInline let nextWay: UnsafeMutablePointer<UInt32>
  @usableFromInline let setMask: UInt64
  @usableFromInline let ways: Int
  /// Whether any entry since the last full flush is a fragment of a large page.
  @usableFromInline var holdsFragments = false
  /// Whether any entry since the last flush of all is global.
  @usableFromInline var holdsGlobals = false

  /// The mark of an empty place: page numbers have 52 bits.
  @inlinable
  static var noPage: UInt64 { .max }

  /// An empty TLB.
  @inlinable
  public init(_ geometry: TLBGeometry) {
    let sets = geometry.entries / geometry.ways
    unsafe pages = .allocate(capacity: geometry.entries)
    unsafe pages.initialize(repeating: Self.noPage, count: geometry.entries)
    unsafe entries = .allocate(capacity: geometry.entries)
    unsafe nextWay = .allocate(capacity: sets)
    unsafe nextWay.initialize(repeating: 0, count: sets)
    setMask = UInt64(sets - 1)
    ways = geometry.ways
  }

  deinit {
    unsafe pages.deallocate()
    unsafe entries.deallocate()
    unsafe nextWay.deallocate()
  }

  /// The entry for an address in an address space.
  @inlinable
  @inline(__always)  // PERF: tlb.hit
  public func lookUp(_ gva: GVA, tag: UInt16) -> TLBEntry<Rights>? {
    let page = gva.rawValue &>> 12
    var place = firstPlace(of: page)
    let end = place &+ ways
    while place < end {
      // SAFETY: the set is masked, so the place is one; where it has a page, it has an entry.
      if unsafe pages[place] == page {
        let entry = unsafe entries[place]
        if entry.isGlobal || entry.tag == tag { return entry }
      }
      place &+= 1
    }
    return nil
  }

  /// Caches a translation, in place of an older one of the same page.
  ///
  /// - Returns: its place.
  @inlinable
  @discardableResult
  public mutating func insert(_ entry: TLBEntry<Rights>, for gva: GVA) -> Int {
    let page = gva.rawValue &>> 12
    let first = firstPlace(of: page)
    if entry.guestPageSize > .size4KiB { holdsFragments = true }
    if entry.isGlobal { holdsGlobals = true }
    var free: Int?
    for place in first..<(first &+ ways) {
      // SAFETY: as in `lookUp`, here and below.
      let old = unsafe pages[place]
      if old == Self.noPage {
        free = free ?? place
      } else if old == page, concerns(place, page, tag: entry.tag) {
        unsafe entries[place] = entry
        return place
      }
    }
    let place = free ?? nextPlace(inSetOf: page)
    unsafe pages[place] = page
    unsafe entries[place] = entry
    return place
  }

  /// Where the entry for an address in an address space is; `nil` where `lookUp` finds none.
  func place(of gva: GVA, tag: UInt16) -> Int? {
    let page = gva.rawValue &>> 12
    let first = firstPlace(of: page)
    return (first..<(first &+ ways)).first { place in
      // SAFETY: as in `lookUp`.
      guard unsafe pages[place] == page else { return false }
      let entry = unsafe entries[place]
      return entry.isGlobal || entry.tag == tag
    }
  }

  /// The place whose turn it is to be replaced.
  @inlinable
  mutating func nextPlace(inSetOf page: UInt64) -> Int {
    let set = Int(truncatingIfNeeded: page & setMask)
    // SAFETY: the set is masked.
    let way = unsafe Int(nextWay[set])
    unsafe nextWay[set] = UInt32(truncatingIfNeeded: way &+ 1 == ways ? 0 : way &+ 1)
    return set &* ways &+ way
  }

  @inlinable
  @inline(__always)
  func firstPlace(of page: UInt64) -> Int { Int(truncatingIfNeeded: page & setMask) &* ways }

  /// Whether what a place holds is an address space's. **Requires** that it holds something.
  @inlinable
  func concerns(_ place: Int, _ page: UInt64, tag: UInt16) -> Bool {
    // SAFETY: the caller found a page there.
    let entry = unsafe entries[place]
    let mask = entry.guestPageSize.offsetMask &>> 12
    return unsafe pages[place] & ~mask == page & ~mask && (entry.isGlobal || entry.tag == tag)
  }
}
