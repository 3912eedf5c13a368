public import Paging

/// What threads share besides entries, step by step.
extension TDPMMU {
  @inlinable
  var pacing: Policy.Pacing { host.pacing }

  /// A page for a table, or `nil` where none is left.
  @inlinable  // PERF: split.2m
  func takeTable() -> PFN? {
    pacing.step(.tablePool, isChange: true)
    return pool.take()
  }

  /// Lends every root to one caller at a time (`TDPRoots.withRoots`).
  @usableFromInline
  func withRoots<R>(_ body: ([PFN]) -> R) -> R {
    withRootsOfSpaces { body($0.map(\.root)) }
  }

  /// As `withRoots`, each with the space that it is of.
  func withRootsOfSpaces<R>(_ body: ([(root: PFN, space: AddressSpace)]) -> R) -> R {
    waitForRoots()
    return roots.withRoots { roots in
      let result = body(roots)
      pacing.step(.roots, isChange: true)
      return result
    }
  }

  /// Waits until the roots are not lent.
  func waitForRoots() {
    if Policy.Pacing.isFree { return }
    pacing.wait(.roots, isChange: true) { [roots] in roots.isFree }
  }

  /// Waits until nobody changes the memslots.
  func waitForUpdates() {
    if Policy.Pacing.isFree { return }
    pacing.wait(.memslots, isChange: true) { [memory] in !memory.isUpdating }
  }

  /// How often a lock was taken that vCPUs share: those of the tables, of their pages and of the
  /// memslots. A fault takes none where its tables are present (SPEC T1).
  package var lockUses: UInt64 {
    pool.lockUses &+ roots.lockUses &+ walkers.lockUses &+ notifier.lockUses &+ logs.uses
      &+ nxSplits.lockUses &+ tracked.lockUses &+ memory.lockUses
  }

  /// The memslots of every address space at this moment, by the space's number.
  func currentSlots() -> [MemslotTable] {
    pacing.step(.memslots, isChange: false)
    return memory.spaceSlots
  }
}
