public import Paging
public import Synchronization

/// Frames whose writes somebody wants to hear of (SPEC T6), as a device model that shadows a table of
/// the guest's.
///
/// **Source** KVM behaviour (external write tracking).
@usableFromInline
final class TrackedFrames: Sendable {
  private struct Entry {
    let frames: Range<UInt64>
    let tracker: any WriteTracker
  }

  private let entries = Guarded<[Int: Entry]>([:])
  @usableFromInline let count = Atomic<Int>(0)
  private let next = Atomic<Int>(0)

  /// How often its lock was taken.
  var lockUses: UInt64 { entries.uses }

  /// Feeds the frames, and how many came before.
  func hash(into hasher: inout Hasher) {
    entries.withLock { hasher.combine($0.mapValues(\.frames)) }
    hasher.combine(next.load(ordering: .relaxed))
  }

  /// Adds frames.
  ///
  /// - Returns: the number that they are known by.
  func add(_ frames: Range<UInt64>, _ tracker: some WriteTracker) -> Int {
    let id = next.add(1, ordering: .relaxed).oldValue
    entries.withLock { entries in
      entries[id] = Entry(frames: frames, tracker: tracker)
      count.store(entries.count, ordering: .sequentiallyConsistent)
    }
    return id
  }

  /// Forgets frames.
  ///
  /// - Returns: which they were.
  func remove(_ id: Int) -> Range<UInt64>? {
    entries.withLock { entries in
      let entry = entries.removeValue(forKey: id)
      count.store(entries.count, ordering: .sequentiallyConsistent)
      return entry?.frames
    }
  }

  /// Whether any frame of a page is tracked; one load where none is.
  @inlinable
  @inline(__always)  // PERF: fault.tdp.threads1
  func touches(_ gfn: GFN, frames: UInt64) -> Bool {
    count.load(ordering: .sequentiallyConsistent) != 0 && search(gfn, frames: frames)
  }

  @usableFromInline
  func search(_ gfn: GFN, frames: UInt64) -> Bool {
    let first = gfn.rawValue & ~(frames &- 1)
    return entries.withLock {
      $0.values.contains { $0.frames.overlaps(first..<(first &+ frames)) }
    }
  }

  /// Tells whoever tracks a frame of a write.
  func tell(_ gpa: GPA, byteCount: Int) {
    if count.load(ordering: .sequentiallyConsistent) == 0 { return }
    let frame = gpa.frame.rawValue
    let trackers = entries.withLock { entries in
      entries.sorted { $0.key < $1.key }.map(\.value).filter { $0.frames.contains(frame) }
    }
    for entry in trackers { entry.tracker.memoryWritten(gpa, byteCount: byteCount) }
  }
}
