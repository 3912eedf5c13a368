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

  /// The memslots of all address spaces at this moment.
  func currentSlots() -> MemslotTable {
    pacing.step(.memslots, isChange: false)
    return memory.allSlots
  }
}
