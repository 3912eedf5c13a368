/// What threads did to one register, with the times at which they began and ended.
package struct RegisterHistory: Sendable {
  /// One operation; `start` before `end`, and no time twice in a history.
  package struct Operation: Sendable, Hashable {
    package var isWrite: Bool
    package var value: UInt64
    package var start: UInt64
    package var end: UInt64

    package init(isWrite: Bool, value: UInt64, start: UInt64, end: UInt64) {
      self.isWrite = isWrite
      self.value = value
      self.start = start
      self.end = end
    }
  }

  /// When the register was set to `initial` again, as memory that is given anew is.
  package struct Reset: Sendable, Hashable {
    package var start: UInt64
    package var end: UInt64

    package init(start: UInt64, end: UInt64) {
      self.start = start
      self.end = end
    }
  }

  /// What the register held before; no operation writes it.
  package var initial: UInt64
  /// The operations, in any order.
  package var operations: [Operation]
  /// The resets, in any order; no time of theirs is one of an operation.
  package var resets: [Reset] = []

  package init(initial: UInt64 = 0, _ operations: [Operation] = [], resets: [Reset] = []) {
    self.initial = initial
    self.operations = operations
    self.resets = resets
  }

  /// Why no order of the operations explains them, each taking effect at one moment between its start
  /// and its end; `nil` where one does.
  ///
  /// Each value is written once, so a value and those who read it form a cluster whose operations come
  /// one after another in any such order. Between the first end and the last start of a cluster nothing
  /// else can be, if the end comes first; clusters whose starts all come first are movable, but not
  /// within such a span of another.
  ///
  /// Resets write one value many times. Of them it is asked alone whether each has a place, and whether
  /// each read of `initial` can follow one with nothing between: what an order explains is never accused,
  /// but not every history that none explains is found.
  ///
  /// **Source** Gibbons and Korach, "Testing Shared Memories" (SIAM Journal on Computing, 1997).
  package func breach() -> String? {
    var clusters: [UInt64: Cluster] = [:]
    if resets.isEmpty { clusters[initial] = Cluster(write: (0, 0)) }
    for operation in operations where operation.isWrite {
      let write = (operation.start, operation.end)
      if clusters.updateValue(Cluster(write: write), forKey: operation.value) != nil {
        return "\(operation.value) is written twice"
      }
    }
    for operation in operations where !operation.isWrite {
      if operation.value == initial, !resets.isEmpty { continue }
      guard var cluster = clusters[operation.value] else {
        return "\(operation.value) is read and was never written"
      }
      if operation.end < cluster.write.start {
        return "\(operation.value) is read before it is written"
      }
      cluster.firstEnd = min(cluster.firstEnd, operation.end)
      cluster.lastStart = max(cluster.lastStart, operation.start)
      clusters[operation.value] = cluster
    }
    return Self.clash(of: clusters) ?? (resets.isEmpty ? nil : misplacedReset(among: clusters))
  }

  struct Cluster {
    var write: (start: UInt64, end: UInt64)
    var firstEnd: UInt64
    var lastStart: UInt64
    /// Whether it fills the time between its first end and its last start.
    var isFixed: Bool { firstEnd < lastStart }

    init(write: (start: UInt64, end: UInt64)) {
      self.write = write
      (lastStart, firstEnd) = write
    }
  }

  /// The clusters that fill a time, in the order of their times.
  static func fixed(of clusters: [UInt64: Cluster]) -> [(key: UInt64, value: Cluster)] {
    clusters.filter(\.value.isFixed).sorted { $0.value.firstEnd < $1.value.firstEnd }
  }

  private static func clash(of clusters: [UInt64: Cluster]) -> String? {
    let fixed = fixed(of: clusters)
    for (one, next) in zip(fixed, fixed.dropFirst())
    where next.value.firstEnd < one.value.lastStart {
      return "\(next.key) is there while \(one.key) still is"
    }
    for (value, cluster) in clusters where !cluster.isFixed {
      // Of spans that do not overlap, the last that begins before the cluster can alone hold it.
      var low = 0
      var high = fixed.count
      while low < high {
        let middle = (low + high) / 2
        if fixed[middle].value.firstEnd < cluster.lastStart {
          low = middle + 1
        } else {
          high = middle
        }
      }
      if low > 0, cluster.firstEnd < fixed[low - 1].value.lastStart {
        return "\(value) has no place beside \(fixed[low - 1].key)"
      }
    }
    return nil
  }
}
