import Paging

/// Which frames are private and which are shared (SPEC T6); private until it is said otherwise.
final class MemoryAttributes: Sendable {
  /// Runs of shared frames: ascending, apart.
  private let shared = Guarded<[Range<UInt64>]>([])

  /// Whether a frame is private.
  func isPrivate(_ gfn: GFN) -> Bool {
    shared.withLock { runs in
      var low = 0
      var high = runs.count
      while low < high {
        let middle = (low + high) / 2
        if runs[middle].upperBound > gfn.rawValue { high = middle } else { low = middle + 1 }
      }
      return low == runs.count || !runs[low].contains(gfn.rawValue)
    }
  }

  /// Declares a range shared, or private.
  func set(_ range: Range<GFN>, isPrivate: Bool) {
    let range = range.rawValues
    guard !range.isEmpty else { return }
    shared.withLock { runs in
      var next: [Range<UInt64>] = []
      var merged = range
      for run in runs {
        if isPrivate {
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
      if !isPrivate { next.append(merged) }
      runs = next.sorted { $0.lowerBound < $1.lowerBound }
    }
  }
}
