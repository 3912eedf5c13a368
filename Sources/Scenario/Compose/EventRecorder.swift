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

  /// Whether further events would be dropped.
  var isFull: Bool { state.withLock { $0.events.count >= Self.most } }

  /// The events since the last call.
  func take() -> [MMUEvent] {
    state.withLock { state in
      defer { state = State() }
      return state.events
    }
  }
}
