public import Paging

/// Every leaf of a frame, from the frame (SPEC F13).
///
/// A hash of frame and level names a list of leaves, linked through the pages that hold them, so that
/// a leaf comes and goes in constant time and without an allocation.
@usableFromInline
final class ReverseMap {
  /// The leaves beside one in its list.
  @usableFromInline
  struct Links {
    /// 1 + the leaf's number; 0 for none.
    fileprivate var next, previous: UInt32
    /// Whether the leaf is in a list at all.
    fileprivate var isLinked = false

    @usableFromInline
    init() { (next, previous) = (0, 0) }
  }

  private struct Contents {
    /// The first leaf of each list, as in `Links`; a power of two of them.
    var heads: [UInt32] = Array(repeating: 0, count: 1024)
    var count = 0
  }

  private let pages: ShadowPageRegistry
  private let state = LockedState(Contents())

  private var contents: Contents {
    // SAFETY: as `LockedState.value`.
    @inline(__always) unsafeAddress { unsafe UnsafePointer(state.place) }
    @inline(__always) unsafeMutableAddress { unsafe state.place }
  }

  /// All leaves.
  var count: Int { contents.count }

  init(of pages: ShadowPageRegistry) { self.pages = pages }

  /// Notes a leaf. **Requires** the first frame of the leaf's page, noted in `page` already.
  @usableFromInline
  func insert(_ gfn: GFN, _ page: ShadowPage, _ index: Int) {
    if contents.count >= 2 * contents.heads.count { grow() }
    link(gfn, page, index)
    contents.count += 1
  }

  /// Forgets a leaf.
  ///
  /// - Returns: whether it was known.
  @usableFromInline
  @discardableResult
  func remove(_ gfn: GFN, _ page: ShadowPage, _ index: Int) -> Bool {
    guard contains(page, index) else { return false }
    let links = page[record: index].links
    page[record: index].links = Links()
    if let (next, place) = leaf(links.next) { next[record: place].links.previous = links.previous }
    if let (previous, place) = leaf(links.previous) {
      previous[record: place].links.next = links.next
    } else {
      contents.heads[bucket(gfn, page.role.level)] = links.next
    }
    contents.count -= 1
    return true
  }

  /// Calls for each leaf whose page holds a frame, of every size; the call may remove that leaf, and
  /// no other.
  @usableFromInline
  func forEachLeaf(of gfn: GFN, _ body: (ShadowPage, Int) -> Void) {
    forEachLeaf(of: gfn, at: .pageTable, body)
    forEachLeaf(of: gfn, at: .directory, body)
    forEachLeaf(of: gfn, at: .directoryPointer, body)
  }

  /// Calls for each leaf of a level whose page holds a frame; the call may remove that leaf, and no
  /// other.
  func forEachLeaf(of gfn: GFN, at level: Level, _ body: (ShadowPage, Int) -> Void) {
    let first = gfn.roundedDown(to: PageSize(shift: 3 + 9 * level.rawValue))
    var link = contents.heads[bucket(first, level)]
    while let (page, index) = leaf(link) {
      link = page[record: index].links.next
      if page.role.level == level, page.frame(of: index) == first { body(page, index) }
    }
  }

  /// Whether a leaf is known.
  @usableFromInline
  func contains(_ page: ShadowPage, _ index: Int) -> Bool {
    page.hasRecords && page[record: index].links.isLinked
  }

  private func link(_ gfn: GFN, _ page: ShadowPage, _ index: Int) {
    let bucket = bucket(gfn, page.role.level)
    let this = UInt32(page.number << 9 | index) + 1
    let head = contents.heads[bucket]
    page[record: index].links.next = head
    page[record: index].links.previous = 0
    page[record: index].links.isLinked = true
    if let (next, place) = leaf(head) { next[record: place].links.previous = this }
    contents.heads[bucket] = this
  }

  private func leaf(_ link: UInt32) -> (page: ShadowPage, index: Int)? {
    if link == 0 { return nil }
    return (pages[number: Int((link - 1) >> 9)], Int((link - 1) & 511))
  }

  private func bucket(_ gfn: GFN, _ level: Level) -> Int {
    let key = gfn.rawValue ^ UInt64(level.rawValue) << 56
    let hash = (key &* 0x9E37_79B9_7F4A_7C15) >> 32
    return Int(truncatingIfNeeded: hash) & (contents.heads.count - 1)
  }

  /// Doubles the lists and spreads the leaves anew.
  private func grow() {
    let old = contents.heads
    contents.heads = Array(repeating: 0, count: old.count * 2)
    for head in old {
      var next = head
      while let (page, index) = leaf(next) {
        next = page[record: index].links.next
        link(page.frame(of: index), page, index)
      }
    }
  }
}
