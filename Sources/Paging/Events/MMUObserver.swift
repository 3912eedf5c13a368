/// Listens to what an MMU does.
///
/// `listens` is a compile-time constant of the type: with `NoObserver` no event is even built.
public protocol MMUObserver: Sendable {
  /// Whether events are wanted at all.
  static var listens: Bool { get }
  /// Called for each event, on the thread that caused it.
  borrowing func observe(_ event: MMUEvent)
}

/// Nobody listens.
@frozen
public struct NoObserver: MMUObserver {
  /// No.
  @inlinable
  public static var listens: Bool { false }
  /// Nobody.
  @inlinable
  public init() {}
  /// Ignores the event.
  @inlinable
  public func observe(_ event: MMUEvent) {}
}
