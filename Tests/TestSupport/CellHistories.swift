import Synchronization

/// The order of beginnings and ends of what threads do, and what each cell was seen to do.
package final class CellHistories: Sendable {
  private let clock = Atomic<UInt64>(0)
  private let cells = Mutex<[UInt64: RegisterHistory]>([:])

  package init() {}

  /// The next moment.
  package var now: UInt64 { clock.add(1, ordering: .sequentiallyConsistent).newValue }

  /// Takes what one thread did, by cell.
  package func add(_ operations: [(cell: UInt64, operation: RegisterHistory.Operation)]) {
    cells.withLock { cells in
      for (cell, operation) in operations {
        cells[cell, default: RegisterHistory()].operations.append(operation)
      }
    }
  }

  /// How many accesses were judged, and which cells no order explains.
  package func judge(
    naming name: (UInt64) -> String
  ) -> (operations: Int, breaches: [String]) {
    cells.withLock { cells in
      let breaches = cells.sorted { $0.key < $1.key }.compactMap { cell, history in
        history.breach().map { "\(name(cell)): \($0)" }
      }
      return (cells.values.reduce(0) { $0 + $1.operations.count }, breaches)
    }
  }
}
