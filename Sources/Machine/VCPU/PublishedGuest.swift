public import Paging

/// The registers of a vCPU as anybody may read them at any time, also while the vCPU runs: a device or
/// a policy that looks at who asks.
@usableFromInline
final class PublishedGuest<Guest: Sendable>: Sendable {
  @usableFromInline let current: Guarded<Guest>

  init(_ guest: Guest) { current = Guarded(guest) }

  /// What was published last.
  var guest: Guest { current.withLock { $0 } }

  /// Replaces it.
  @inlinable
  func publish(_ guest: Guest) { current.withLock { $0 = guest } }
}
