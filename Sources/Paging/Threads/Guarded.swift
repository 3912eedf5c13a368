public import Synchronization

/// A value behind a mutex whose order ThreadSanitizer can see.
///
/// The system's mutex is not instrumented, so each use would be reported as a race; an atomic beside it,
/// loaded after locking and stored before unlocking, tells the tool what the mutex guarantees anyway. It
/// counts how often the value was lent.
@usableFromInline
package struct Guarded<Value: ~Copyable>: ~Copyable, Sendable {
  @usableFromInline let mutex: Mutex<Value>
  @usableFromInline let order = Atomic<UInt64>(0)

  /// Takes a value in.
  @inlinable
  package init(_ value: consuming sending Value) { mutex = Mutex(value) }

  /// Whether nobody has it lent at this moment.
  package var isFree: Bool { mutex.withLockIfAvailable { _ in } != nil }

  /// How often the value has been lent.
  package var uses: UInt64 { order.load(ordering: .acquiring) }

  /// Lends the value to one caller at a time.
  @inlinable  // PERF: switch.shadow
  package borrowing func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    try mutex.withLock { value throws(Failure) in
      let uses = order.load(ordering: .acquiring)
      defer { order.store(uses &+ 1, ordering: .releasing) }
      return try body(&value)
    }
  }
}
