import Paging
import Synchronization

/// The order of beginnings and ends of what threads do, and what each cell of 8 bytes was seen to do.
package final class CellHistories: Sendable {
  /// One access of a cell.
  package typealias Entry = (cell: UInt64, operation: RegisterHistory.Operation)

  private let clock = Atomic<UInt64>(0)
  private let cells = Guarded<[UInt64: RegisterHistory]>([:])

  package init() {}

  /// A time that nobody else gets.
  package var now: UInt64 { clock.add(1, ordering: .sequentiallyConsistent).newValue }

  /// A cell by its page and its number in the page.
  package static func cell(_ number: UInt64, ofPage page: UInt64) -> UInt64 { page << 16 | number }

  /// Takes what one thread did.
  package func add(_ operations: [Entry]) {
    cells.withLock { cells in
      for (cell, operation) in operations {
        cells[cell, default: RegisterHistory()].operations.append(operation)
      }
    }
  }

  /// Takes when one thread had cells set to 0 again.
  package func add(resets: [(cell: UInt64, reset: RegisterHistory.Reset)]) {
    cells.withLock { cells in
      for (cell, reset) in resets { cells[cell, default: RegisterHistory()].resets.append(reset) }
    }
  }

  /// How many accesses were judged, and which cells no order explains.
  ///
  /// - Parameter name: a cell in words.
  package func judge(
    naming name: (UInt64) -> String = { "page \($0 >> 16) cell \($0 & 0xFFFF)" }
  ) -> (operations: Int, breaches: [String]) {
    cells.withLock { cells in
      let breaches = cells.sorted { $0.key < $1.key }.compactMap { cell, history in
        history.breach().map { "\(name(cell)): \($0)" }
      }
      return (cells.values.reduce(0) { $0 + $1.operations.count }, breaches)
    }
  }
}
