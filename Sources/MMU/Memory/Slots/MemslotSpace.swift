import Paging
public import Synchronization

/// The memslots of one address space and their generation.
@usableFromInline
final class MemslotSpace: Sendable {
  private let current = Guarded<MemslotTable>(.empty)
  @usableFromInline let word: Atomic<UInt64>
  /// What the generation grows by: its low bits tell the space, so that no two spaces ever have the
  /// same generation.
  private let step: UInt64

  /// - Parameters:
  ///   - number: the space's number.
  ///   - count: how many spaces the machine has; a power of two.
  init(generation: UInt64, number: UInt64, of count: UInt64) {
    step = count
    word = Atomic(generation & ~GuestMemory.updateInProgress & ~(count - 1) | number)
  }

  /// The generation now, with the flag.
  @inlinable
  var generation: UInt64 { word.load(ordering: .acquiring) }

  /// The slots now.
  var slots: MemslotTable {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }

  /// Announces an update.
  ///
  /// - Returns: the generation that ends it.
  func begin() -> UInt64 {
    let old = word.bitwiseOr(
      GuestMemory.updateInProgress, ordering: .acquiringAndReleasing
    ).oldValue
    return ((old & ~GuestMemory.updateInProgress) &+ step) & ~GuestMemory.updateInProgress
  }

  /// Ends an update.
  func end(_ generation: UInt64) { word.store(generation, ordering: .releasing) }

  /// How often its lock was taken.
  var lockUses: UInt64 { current.uses }
}
