public import Paging

/// What threads share besides entries, step by step.
extension TDPMMU {
  @inlinable
  var pacing: Policy.Pacing { host.pacing }

  /// A page for a table, or `nil` where none is left.
  @usableFromInline
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

  /// The memslots of every address space at this moment, by the space's number.
  func currentSlots() -> [MemslotTable] {
    pacing.step(.memslots, isChange: false)
    return memory.spaceSlots
  }
}
