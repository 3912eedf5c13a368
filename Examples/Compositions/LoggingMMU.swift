import MMU
import Paging
import Synchronization

/// A fault handler that writes down what it handles, around any other.
final class LoggingMMU<Base: VirtualMMU>: MMUWrapper {
  let base: Base
  private let log = Mutex<[String]>([])

  init(_ base: Base) { self.base = base }

  /// What was handled.
  var lines: [String] { log.withLock { $0 } }

  func handle(
    _ exit: Base.Exit, on cpu: inout Base.CPU, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    let outcome = base.handle(exit, on: &cpu, observer)
    log.withLock { $0.append("\(exit.cause.rawValue) (\(exit)): \(outcome)") }
    return outcome
  }
}
