public import Paging
public import Synchronization

/// Which frames are private and which are shared (SPEC T6); shared until it is said otherwise.
///
/// **Source** KVM behaviour (`KVM_SET_MEMORY_ATTRIBUTES`).
public final class MemoryAttributes: Sendable {
  /// Runs of private frames: ascending, apart.
  private let privateRuns = Guarded<[Range<UInt64>]>([])
  @usableFromInline let isAnyPrivate = Atomic<Bool>(false)

  /// How many conversions are under way: made, and not yet flushed.
  private let conversions = Atomic<Int>(0)

  init() {}

  /// Runs a conversion and what has to follow it.
  func converting<Failure: Error>(_ body: () throws(Failure) -> Void) throws(Failure) {
    conversions.add(1, ordering: .acquiringAndReleasing)
    defer { conversions.subtract(1, ordering: .acquiringAndReleasing) }
    try body()
  }

  /// Waits until no conversion is under way.
  func settle() {
    while conversions.load(ordering: .acquiring) > 0 { TableWalkers.yield() }
  }

  /// How often its lock was taken.
  var lockUses: UInt64 { privateRuns.uses }

  /// Whether any frame has ever been private: without, nobody takes the lock.
  @inlinable
  var areUsed: Bool { isAnyPrivate.load(ordering: .acquiring) }

  /// Whether a frame is private.
  public func isPrivate(_ gfn: GFN) -> Bool {
    guard areUsed else { return false }
    return privateRuns.withLock { runs in
      let index = Self.firstIndex(endingAfter: gfn.rawValue, in: runs)
      return index < runs.count && runs[index].contains(gfn.rawValue)
    }
  }

  /// Whether the frames of a range are all private, or all shared.
  public func isUniform(_ range: Range<GFN>) -> Bool {
    guard areUsed else { return true }
    let range = range.rawValues
    return privateRuns.withLock { runs in
      let index = Self.firstIndex(endingAfter: range.lowerBound, in: runs)
      guard index < runs.count else { return true }
      let run = runs[index]
      return run.lowerBound >= range.upperBound
        || run.lowerBound <= range.lowerBound && run.upperBound >= range.upperBound
    }
  }

  /// The largest level up to a limit at which the page of a frame is of one kind.
  @usableFromInline
  func largestLevel(for gfn: GFN, upTo limit: Level) -> Level {
    var level = Level.pageTable
    while level < limit {
      let size = PageSize(shift: 3 &+ 9 &* level.above.rawValue)
      let first = gfn.roundedDown(to: size)
      guard isUniform(first..<first.wrappingAdd(size.frames)) else { break }
      level = level.above
    }
    return level
  }

  /// Declares a range private, or shared. What tables hold of it is the MMU's affair.
  func set(_ range: Range<GFN>, isPrivate: Bool) {
    let range = range.rawValues
    guard !range.isEmpty else { return }
    if isPrivate { isAnyPrivate.store(true, ordering: .releasing) }
    privateRuns.withLock { runs in
      var next: [Range<UInt64>] = []
      var merged = range
      for run in runs {
        if !isPrivate {
          if run.lowerBound < range.lowerBound {
            next.append(run.lowerBound..<min(run.upperBound, range.lowerBound))
          }
          if run.upperBound > range.upperBound {
            next.append(max(run.lowerBound, range.upperBound)..<run.upperBound)
          }
        } else if run.upperBound < range.lowerBound || run.lowerBound > range.upperBound {
          next.append(run)
        } else {
          merged =
            min(merged.lowerBound, run.lowerBound)..<max(merged.upperBound, run.upperBound)
        }
      }
      if isPrivate { next.append(merged) }
      runs = next.sorted { $0.lowerBound < $1.lowerBound }
    }
  }

  /// The runs of private frames, for a snapshot: ascending, apart.
  var runs: [Range<UInt64>] { privateRuns.withLock { $0 } }

  /// Puts the runs of a snapshot back.
  func put(back runs: [Range<UInt64>]) {
    if !runs.isEmpty { isAnyPrivate.store(true, ordering: .releasing) }
    privateRuns.withLock { $0 = runs }
  }

  private static func firstIndex(endingAfter frame: UInt64, in runs: [Range<UInt64>]) -> Int {
    var low = 0
    var high = runs.count
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].upperBound > frame { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
