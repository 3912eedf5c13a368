import Paging

/// Every leaf of a frame, from the frame (SPEC F13).
struct ReverseMap {
  /// Where a leaf is.
  struct Leaf {
    let page: ShadowPage
    let index: Int
  }

  private struct Key: Hashable {
    let gfn: GFN
    let level: Level
  }

  private var leaves: [Key: [Leaf]] = [:]
  /// All leaves.
  private(set) var count = 0

  /// Notes a leaf. **Requires** the first frame of the leaf's page.
  mutating func insert(_ gfn: GFN, _ page: ShadowPage, _ index: Int) {
    leaves[Key(gfn: gfn, level: page.role.level), default: []].append(
      Leaf(page: page, index: index))
    count += 1
  }

  /// Forgets a leaf.
  ///
  /// - Returns: whether it was known.
  @discardableResult
  mutating func remove(_ gfn: GFN, _ page: ShadowPage, _ index: Int) -> Bool {
    let key = Key(gfn: gfn, level: page.role.level)
    guard
      let position = leaves[key]?.firstIndex(where: { $0.page === page && $0.index == index })
    else { return false }
    count -= 1
    if leaves[key]?.count == 1 {
      leaves[key] = nil
    } else {
      leaves[key]?.remove(at: position)
    }
    return true
  }

  /// The leaves whose page holds a frame, of every size.
  func leaves(of gfn: GFN) -> [Leaf] {
    var result: [Leaf] = []
    for level in [Level.pageTable, .directory, .directoryPointer] {
      let first = gfn.roundedDown(to: PageSize(shift: 3 + 9 * level.rawValue))
      if let found = leaves[Key(gfn: first, level: level)] { result += found }
    }
    return result
  }

  /// Whether a leaf is known.
  func contains(_ gfn: GFN, _ page: ShadowPage, _ index: Int) -> Bool {
    leaves[Key(gfn: gfn, level: page.role.level)]?.contains {
      $0.page === page && $0.index == index
    } ?? false
  }
}
