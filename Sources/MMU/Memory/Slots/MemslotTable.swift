public import Paging

/// The memslots of one moment: immutable, sorted, never overlapping.
public final class MemslotTable: Sendable {
  /// Ascending by base.
  public let slots: [Memslot]

  /// No slots.
  public static let empty = MemslotTable(sorted: [])

  /// The most slots a table holds (SPEC T8).
  public static let capacity = 32_768

  /// The same slots for the fault path.
  @usableFromInline let plain: PlainMemslots

  private init(sorted slots: [Memslot]) {
    self.slots = slots
    plain = PlainMemslots(slots)
  }

  deinit { plain.free() }

  /// A table of many slots at once.
  ///
  /// - Throws: as `adding(_:)`.
  /// - Complexity: O(n log n).
  public convenience init(_ slots: some Sequence<Memslot>) throws(MemslotError) {
    let sorted = slots.sorted { $0.base < $1.base }
    guard sorted.count <= Self.capacity else { throw .tooMany }
    var seen: Set<Int> = []
    var last: Memslot?
    for slot in sorted {
      try Self.check(slot)
      if !seen.insert(slot.id).inserted { throw .duplicate(id: slot.id) }
      if let last, last.end > slot.base { throw .overlap(id: slot.id, other: last.id) }
      last = slot
    }
    self.init(sorted: sorted)
  }

  /// The slots of system-management mode: its own, and of the others what they leave.
  ///
  /// - Throws: `duplicate` where one of its own has the number of another, `tooMany`.
  convenience init(_ own: MemslotTable, hiding others: MemslotTable) throws(MemslotError) {
    let numbers = Set(others.slots.map(\.id))
    if let clash = own.slots.first(where: { numbers.contains($0.id) }) {
      throw .duplicate(id: clash.id)
    }
    var merged = own.slots
    var next = 0
    for slot in others.slots {
      var cursor = slot.base
      while next > 0, own.slots[next - 1].end > cursor { next -= 1 }
      while next < own.slots.count, own.slots[next].end <= cursor { next += 1 }
      while cursor < slot.end {
        let hiding = next < own.slots.count ? own.slots[next] : nil
        let end = min(max(hiding?.base ?? slot.end, cursor), slot.end)
        if cursor < end { merged.append(slot.part(in: cursor..<end)) }
        guard let hiding, hiding.base < slot.end else { break }
        cursor = hiding.end
        next += 1
      }
    }
    guard merged.count <= Self.capacity else { throw .tooMany }
    self.init(sorted: merged.sorted { $0.base < $1.base })
  }

  /// A table with one slot more.
  ///
  /// - Throws: `MemslotError` where the slot is empty, too high, overlaps, is one too many,
  ///   or its host memory does not begin at a page.
  public func adding(_ slot: Memslot) throws(MemslotError) -> MemslotTable {
    try Self.check(slot)
    guard slots.count < Self.capacity else { throw .tooMany }
    if slots.contains(where: { $0.id == slot.id }) { throw .duplicate(id: slot.id) }
    let position = plain.firstIndex(endingAfter: slot.base)
    if position < slots.count, slots[position].base < slot.end {
      throw .overlap(id: slot.id, other: slots[position].id)
    }
    var result = slots
    result.insert(slot, at: position)
    return MemslotTable(sorted: result)
  }

  /// A table without a slot.
  ///
  /// - Throws: `MemslotError.unknown`.
  public func removing(id: Int) throws(MemslotError) -> MemslotTable {
    guard slots.contains(where: { $0.id == id }) else { throw .unknown(id: id) }
    return MemslotTable(sorted: slots.filter { $0.id != id })
  }

  /// A table with another slot in the place of the one of its number.
  ///
  /// - Throws: `MemslotError.unknown`, or as `adding(_:)`.
  public func replacing(_ slot: Memslot) throws(MemslotError) -> MemslotTable {
    try removing(id: slot.id).adding(slot)
  }

  /// The slot with a number.
  public subscript(id id: Int) -> Memslot? { slots.first { $0.id == id } }

  /// The slot that holds a frame.
  ///
  /// - Parameters:
  ///   - gfn: the guest frame.
  ///   - hint: the index found last, tried first; updated.
  /// - Complexity: O(1) where the hint holds, else O(log n).
  public func slot(for gfn: GFN, hint: inout Int) -> Memslot? {
    plain.slot(for: gfn, hint: &hint).map { _ in slots[hint] }
  }

  /// The table whose slots are mapped no larger than the host's own tables map what is behind them
  /// (SPEC F11).
  func limited(by host: HostMemory) -> MemslotTable {
    if !host.hasBacking { return self }
    return MemslotTable(
      sorted: slots.map { slot in
        var slot = slot
        for first in [slot.host, slot.privateHost] {
          guard let first else { continue }
          let range = first..<first.wrappingAdd(slot.frameCount << 12)
          if let page = host.largestPage(behind: range) { slot.backing = min(slot.backing, page) }
        }
        return slot
      })
  }

  private static func check(_ slot: Memslot) throws(MemslotError) {
    let highest = GFN(1 << 40)
    guard slot.frameCount > 0, slot.frameCount <= highest.rawValue else {
      throw .badSize(frames: slot.frameCount)
    }
    guard slot.base <= highest, slot.end <= highest else { throw .outside(base: slot.base) }
    for host in [slot.host, slot.privateHost] {
      if let host, host.offset(in: .size4KiB) != 0 { throw .unaligned(host: host) }
    }
  }
}
