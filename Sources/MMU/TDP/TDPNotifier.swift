public import Paging
public import Synchronization

/// The host's warnings that memory behind a range goes away (SPEC T5, F10).
///
/// While a range is under way its faults wait. No sequence is compared under a lock: a warning waits
/// for the faults that began before it, so none of them installs what it found earlier.
@usableFromInline
final class TDPNotifier: Sendable {
  @usableFromInline let count = Atomic<Int>(0)
  private let ranges = Guarded<[Range<UInt64>]>([])
  /// Counts the warnings that ended.
  let sequence = Atomic<UInt64>(0)

  /// How often its lock was taken.
  var lockUses: UInt64 { ranges.uses }

  /// Feeds the ranges under way.
  func hash(into hasher: inout Hasher) { ranges.withLock { hasher.combine($0) } }

  /// Opens a range of frames.
  func begin(_ range: Range<GFN>) {
    ranges.withLock { $0.append(range.lowerBound.rawValue..<range.upperBound.rawValue) }
    count.add(1, ordering: .sequentiallyConsistent)
  }

  /// Closes a range opened before.
  func end(_ range: Range<GFN>) {
    sequence.add(1, ordering: .acquiringAndReleasing)
    count.subtract(1, ordering: .sequentiallyConsistent)
    ranges.withLock { ranges in
      let closed = range.lowerBound.rawValue..<range.upperBound.rawValue
      if let index = ranges.firstIndex(of: closed) { ranges.remove(at: index) }
    }
  }

  /// Whether a page of frames is under way; one load where no range is.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1
  func blocks(_ gfn: GFN, frames: UInt64) -> Bool {
    count.load(ordering: .sequentiallyConsistent) != 0 && search(gfn, frames: frames)
  }

  @usableFromInline
  func search(_ gfn: GFN, frames: UInt64) -> Bool {
    let first = gfn.rawValue & ~(frames &- 1)
    return ranges.withLock { $0.contains { $0.overlaps(first..<(first &+ frames)) } }
  }
}
