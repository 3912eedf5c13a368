import Paging

/// The segments of an image, sorted by address, with an index that makes most look-ups one step.
///
/// The addresses from the first segment to the last are cut into at most 16384 equal parts; for each
/// the number of the segment that holds or precedes its start is kept. What remains to be searched
/// inside a part is searched by halves.
///
/// Invariants: sorted; disjoint; none empty; none passes 2^64 - 1; every segment's `backed` bytes from
/// `offset` lie in the file. Without a segment `span` is 0 and nothing is found.
@usableFromInline
@safe
final class SegmentTable: @unchecked Sendable {
  /// One segment, as the look-up needs it.
  @usableFromInline
  struct Entry {
    @usableFromInline let start: UInt64
    @usableFromInline let size: UInt64
    @usableFromInline let offset: UInt64
    @usableFromInline let backed: UInt64
  }

  // SAFETY (Sendable): written in `init` alone.
  @usableFromInline let entries: UnsafePointer<Entry>
  @usableFromInline let hints: UnsafePointer<UInt32>
  @usableFromInline let lowest: UInt64
  @usableFromInline let span: UInt64
  @usableFromInline let shift: UInt64

  static var mostParts: UInt64 { 16384 }

  /// A table of segments that are sorted, disjoint and checked.
  init(_ segments: [ImageSegment]) {
    precondition(segments.count <= Int(UInt32.max))
    let first = segments.first?.gpa.rawValue ?? 0
    let last = segments.last?.end.rawValue ?? 0
    lowest = first
    span = last - first
    var shift: UInt64 = 12
    while (span &- 1) >> shift >= Self.mostParts, span > 0 { shift += 1 }
    self.shift = shift
    let parts = span == 0 ? 0 : Int((span - 1) >> shift) + 1
    // SAFETY: both are allocated with the counts that are filled below, and freed in `deinit`.
    let entries = UnsafeMutablePointer<Entry>.allocate(capacity: segments.count)
    let hints = UnsafeMutablePointer<UInt32>.allocate(capacity: parts + 1)
    for (index, segment) in segments.enumerated() {
      unsafe (entries + index).initialize(
        to: Entry(
          start: segment.gpa.rawValue, size: segment.size, offset: segment.fileOffset,
          backed: segment.fileSize))
    }
    var segment = 0
    for part in 0..<parts {
      let start = first + UInt64(part) << shift
      while segment + 1 < segments.count, segments[segment + 1].gpa.rawValue <= start {
        segment += 1
      }
      unsafe (hints + part).initialize(to: UInt32(segment))
    }
    unsafe (hints + parts).initialize(to: UInt32(max(segments.count, 1) - 1))
    unsafe self.entries = UnsafePointer(entries)
    unsafe self.hints = UnsafePointer(hints)
  }

  deinit {
    // SAFETY: what `init` allocated; the element types need no deinitialisation.
    unsafe entries.deallocate()
    unsafe hints.deallocate()
  }

  /// The segment that holds an address, or `nil`.
  @inlinable
  @inline(__always)  // PERF: image.map; a walk of an image is four of these.
  func find(_ address: UInt64) -> Entry? {
    let relative = address &- lowest
    guard relative < span else { return nil }
    let part = Int(truncatingIfNeeded: relative &>> shift)
    // SAFETY: relative < span, so part is one of the parts, and there is one hint more than parts.
    var low = Int(unsafe hints[part])
    var high = Int(unsafe hints[part &+ 1])
    while low < high {
      let middle = (low &+ high &+ 1) &>> 1
      // SAFETY: hints are numbers of segments, and middle lies between two of them.
      if unsafe entries[middle].start <= address { low = middle } else { high = middle &- 1 }
    }
    // SAFETY: as above.
    let entry = unsafe entries[low]
    return address &- entry.start < entry.size ? entry : nil
  }
}
