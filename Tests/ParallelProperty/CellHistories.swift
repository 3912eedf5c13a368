import Paging
import Synchronization
import TestSupport

/// The order of beginnings and ends, and what each cell of 8 bytes was seen to do.
final class CellHistories: Sendable {
  /// A cell's place: its page and its number in the page.
  typealias Entry = (cell: UInt64, operation: RegisterHistory.Operation)

  private let clock = Atomic<UInt64>(0)
  private let cells = Guarded<[UInt64: RegisterHistory]>([:])

  /// A time that nobody else gets.
  var now: UInt64 { clock.add(1, ordering: .sequentiallyConsistent).newValue }

  static func cell(_ number: UInt64, ofPage page: UInt64) -> UInt64 { page << 16 | number }

  func add(_ operations: [Entry]) {
    cells.withLock { cells in
      for (cell, operation) in operations {
        cells[cell, default: RegisterHistory()].operations.append(operation)
      }
    }
  }

  /// How many accesses were judged, and which cells no order explains.
  func judge() -> (operations: Int, breaches: [String]) {
    cells.withLock { cells in
      let breaches = cells.sorted { $0.key < $1.key }.compactMap { cell, history in
        history.breach().map { "page \(cell >> 16) cell \(cell & 0xFFFF): \($0)" }
      }
      return (cells.values.reduce(0) { $0 + $1.operations.count }, breaches)
    }
  }
}
