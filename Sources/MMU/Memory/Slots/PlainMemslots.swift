public import Paging

/// A handle on the slots of a table for those who look one up at each fault.
///
/// Copying it costs three words and no reference count. **Requires** that its `MemslotTable` is alive.
@safe
@usableFromInline
struct PlainMemslots: @unchecked Sendable {
  @usableFromInline let base: UnsafeMutablePointer<PlainMemslot>
  @usableFromInline let count: Int
  /// Whether some slot may lack pages that somebody must bring first.
  @usableFromInline let mayLackPages: Bool

  /// Copies of slots, which the caller frees.
  init(_ slots: [Memslot]) {
    unsafe base = .allocate(capacity: slots.count)
    count = slots.count
    mayLackPages = slots.contains { $0.missing != nil }
    // SAFETY: allocated with room for all.
    for (index, slot) in slots.enumerated() {
      unsafe (base + index).initialize(to: PlainMemslot(slot))
    }
  }

  /// Gives the memory back. **Requires** that nobody uses the handle afterwards.
  func free() {
    // SAFETY: allocated in `init`; plain values need no deinitialization.
    unsafe base.deallocate()
  }

  /// As `MemslotTable.slot(for:hint:)`.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1
  func slot(for gfn: GFN, hint: inout Int) -> PlainMemslot? {
    // SAFETY: every index is checked against the count, here and in the search.
    if hint >= 0, hint < count, unsafe base[hint].contains(gfn) { return unsafe base[hint] }
    let index = firstIndex(endingAfter: gfn)
    guard index < count, unsafe base[index].contains(gfn) else { return nil }
    hint = index
    return unsafe base[index]
  }

  /// The first slot that does not end at a frame or before, or `count`.
  @usableFromInline
  func firstIndex(endingAfter gfn: GFN) -> Int {
    var low = 0
    var high = count
    while low < high {
      let middle = (low + high) / 2
      // SAFETY: as above.
      if unsafe base[middle].end > gfn { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
