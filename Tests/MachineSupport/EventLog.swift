package import Paging
import Synchronization

/// An observer that keeps every event.
package final class EventLog: MMUObserver {
  package static var listens: Bool { true }
  private let kept = Mutex<[MMUEvent]>([])

  package init() {}

  package func observe(_ event: MMUEvent) { kept.withLock { $0.append(event) } }

  /// The events so far.
  package var events: [MMUEvent] { kept.withLock { $0 } }

  /// The events so far, which are then forgotten.
  package func drain() -> [MMUEvent] {
    kept.withLock { events in
      defer { events = [] }
      return events
    }
  }
}
