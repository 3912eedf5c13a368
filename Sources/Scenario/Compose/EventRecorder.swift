import Paging
import PluginHost
import Synchronization

/// Keeps the events of one step, up to a number that a reader can take in.
final class EventRecorder: MMUObserver {
  static var listens: Bool { true }

  private struct State {
    var events: [MMUEvent] = []
    var dropped = 0
  }

  private let state = Mutex(State())
  private let listeners: [Plugin]
  private static var most: Int { 64 }

  /// A recorder that tells plugins of every event, also of those that it drops.
  init(telling listeners: [Plugin] = []) { self.listeners = listeners }

  func observe(_ event: MMUEvent) {
    for plugin in listeners { plugin.tell(event) }
    state.withLock { state in
      if state.events.count < Self.most {
        state.events.append(event)
      } else {
        state.dropped += 1
      }
    }
  }

  /// The first events since the last call, and how many came after them.
  ///
  /// - Parameter most: how many are wanted; there are never more than 64.
  func take(atMost most: Int = most) -> (events: [MMUEvent], leftOut: Int) {
    state.withLock { state in
      defer { state = State() }
      let events = Array(state.events.prefix(most))
      return (events, state.events.count - events.count + state.dropped)
    }
  }
}
