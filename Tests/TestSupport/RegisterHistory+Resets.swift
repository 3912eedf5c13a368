extension RegisterHistory {
  /// Why a reset, or a read of `initial`, has no place among the values that were written.
  func misplacedReset(among clusters: [UInt64: Cluster]) -> String? {
    let gaps = Self.gaps(between: Self.fixed(of: clusters).map(\.value))
    for reset in resets where !gaps.contains(where: { $0.meets(reset.start, reset.end) }) {
      return "a reset from \(reset.start) to \(reset.end) has no place: a value outlives it"
    }
    let movable = clusters.values.filter { !$0.isFixed }
    let sources = resets + [Reset(start: 0, end: 0)]
    for read in operations where !read.isWrite && read.value == initial {
      let isExplained = sources.contains { reset in
        reset.start < read.end
          && gaps.contains { Self.follows(read, reset, in: $0, besides: movable) }
      }
      if !isExplained {
        return "\(initial) is read from \(read.start) to \(read.end), and no reset explains it"
      }
    }
    return nil
  }

  /// A time that no value fills.
  private struct Gap {
    var start: UInt64
    var end: UInt64

    func meets(_ from: UInt64, _ to: UInt64) -> Bool { from <= end && to >= start }
  }

  /// - Parameter fixed: the clusters that fill a time, in order and apart.
  private static func gaps(between fixed: [Cluster]) -> [Gap] {
    zip([0] + fixed.map(\.lastStart), fixed.map(\.firstEnd) + [.max]).map {
      Gap(start: $0, end: $1)
    }
  }

  /// Whether a read can come after a reset in one gap, with no value that must lie between them.
  private static func follows(
    _ read: Operation, _ reset: Reset, in gap: Gap, besides movable: [Cluster]
  ) -> Bool {
    // As late a reset and as early a read as can be.
    let first = min(reset.end, gap.end, read.end)
    let second = max(read.start, gap.start, first)
    guard first >= max(reset.start, gap.start), second <= min(read.end, gap.end) else {
      return false
    }
    return !movable.contains { $0.lastStart > first && $0.firstEnd < second }
  }
}
