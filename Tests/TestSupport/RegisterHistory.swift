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

  /// What the register held before; no operation writes it.
  package var initial: UInt64
  /// The operations, in any order.
  package var operations: [Operation]

  package init(initial: UInt64 = 0, _ operations: [Operation] = []) {
    self.initial = initial
    self.operations = operations
  }

  /// Why no order of the operations explains them, each taking effect at one moment between its start
  /// and its end; `nil` where one does.
  ///
  /// Each value is written once, so a value and those who read it form a cluster whose operations come
  /// one after another in any such order. Between the first end and the last start of a cluster nothing
  /// else can be, if the end comes first; clusters whose starts all come first are movable, but not
  /// within such a span of another.
  ///
  /// **Source** Gibbons and Korach, "Testing Shared Memories" (SIAM Journal on Computing, 1997).
  package func breach() -> String? {
    var clusters: [UInt64: Cluster] = [initial: Cluster(write: (0, 0))]
    for operation in operations where operation.isWrite {
      let write = (operation.start, operation.end)
      if clusters.updateValue(Cluster(write: write), forKey: operation.value) != nil {
        return "\(operation.value) is written twice"
      }
    }
    for operation in operations where !operation.isWrite {
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
    return Self.clash(of: clusters)
  }

  private struct Cluster {
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

  private static func clash(of clusters: [UInt64: Cluster]) -> String? {
    let fixed = clusters.filter(\.value.isFixed).sorted { $0.value.firstEnd < $1.value.firstEnd }
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
