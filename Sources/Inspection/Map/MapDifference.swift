public import Paging

/// A range in which two address spaces differ in one way.
public struct MapDifference: Hashable, Sendable {
  /// How they differ.
  public enum Change: String, Sendable {
    /// Mapped in the second alone.
    case added
    /// Mapped in the first alone.
    case removed
    /// Other permissions; the physical addresses may differ too.
    case permissions
    /// Equal permissions, other physical addresses.
    case moved
  }

  /// How they differ.
  public let change: Change
  /// The first address.
  public let start: GVA
  /// **Units** bytes.
  public internal(set) var size: UInt64
  /// What the first grants, where it maps the range.
  public let before: Permissions?
  /// What the second grants, where it maps the range.
  public let after: Permissions?

  /// The first address after the range; 0 where it ends with the last address of all.
  public var end: GVA { start.wrappingAdd(size) }

  /// Compares two lists of pages, each in address order.
  public static func between(_ old: [MappedPage], _ new: [MappedPage]) -> [MapDifference] {
    var found: [MapDifference] = []
    var (left, right) = (old.startIndex, new.startIndex)
    var position: UInt64 = 0
    while left < old.endIndex || right < new.endIndex {
      let one = left < old.endIndex ? old[left] : nil
      let other = right < new.endIndex ? new[right] : nil
      let starts = [one, other].compactMap { $0?.start.rawValue }
      position = max(position, starts.min() ?? position)
      let before = one.flatMap { $0.start.rawValue <= position ? $0 : nil }
      let after = other.flatMap { $0.start.rawValue <= position ? $0 : nil }
      // Up to where nothing changes: the nearest last address of a page that has begun, or the
      // address before one that begins.
      var last = UInt64.max
      for page in [one, other].compactMap(\.self) {
        let begins = page.start.rawValue
        last = min(last, begins > position ? begins - 1 : begins &+ page.size.offsetMask)
      }
      append(before, after, from: position, through: last, to: &found)
      if let one, one.start.wrappingAdd(one.size.offsetMask).rawValue <= last { left += 1 }
      if let other, other.start.wrappingAdd(other.size.offsetMask).rawValue <= last { right += 1 }
      if last == .max { break }
      position = last + 1
    }
    return found
  }

  private static func append(
    _ before: MappedPage?, _ after: MappedPage?, from start: UInt64, through last: UInt64,
    to found: inout [MapDifference]
  ) {
    let change: Change
    switch (before, after) {
    case (nil, nil): return
    case (nil, _): change = .added
    case (_, nil): change = .removed
    case (let before?, let after?):
      if before.permissions != after.permissions {
        change = .permissions
      } else if before.gpa.rawValue &- before.start.rawValue
        != after.gpa.rawValue &- after.start.rawValue
      {
        change = .moved
      } else {
        return
      }
    }
    let size = last - start &+ 1
    if let previous = found.last, previous.change == change, previous.end.rawValue == start,
      previous.before == before?.permissions, previous.after == after?.permissions
    {
      found[found.count - 1].size += size
    } else {
      found.append(
        MapDifference(
          change: change, start: GVA(start), size: size, before: before?.permissions,
          after: after?.permissions))
    }
  }
}
