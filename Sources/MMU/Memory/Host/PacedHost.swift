public import Paging

/// Host memory as the tables' threads see it: each access to an entry is a step that may have to wait
/// for its turn. Where threads run free it is `HostView` and nothing else.
@usableFromInline
struct PacedHost<Pacing: MMUPacing>: EntryMemory, Sendable {
  @usableFromInline typealias Space = HostPhysical
  @usableFromInline typealias Failure = HostMemoryError

  @usableFromInline let view: HostView
  @usableFromInline let pacing: Pacing

  @inlinable
  init(_ view: HostView, _ pacing: Pacing) {
    self.view = view
    self.pacing = pacing
  }

  @inlinable
  @inline(__always)  // PERF: walk.2d.4k
  func load<Entry: TableEntry>(
    _ address: HPA, as type: Entry.Type
  ) -> Result<Entry, HostMemoryError> {
    pacing.step(.entry(address), isChange: false)
    return view.load(address, as: type)
  }

  @inlinable
  @inline(__always)  // PERF: walk.batch16.random
  func prefetch(_ address: HPA) { view.prefetch(address) }

  @inlinable
  func compareExchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, HostMemoryError> {
    pacing.step(.entry(address), isChange: true)
    return view.compareExchange(address, expected: expected, desired: desired)
  }

  @inlinable
  func exchange<Entry: TableEntry>(
    _ address: HPA, expected: Entry, desired: Entry
  ) -> Result<(exchanged: Bool, original: Entry), HostMemoryError> {
    pacing.step(.entry(address), isChange: true)
    return view.exchange(address, expected: expected, desired: desired)
  }

  @inlinable
  func swap(_ address: HPA, to value: UInt64) -> Result<UInt64, HostMemoryError> {
    pacing.step(.entry(address), isChange: true)
    return view.swap(address, to: value)
  }

  @inlinable
  func contains(_ address: HPA, count: Int) -> Bool { view.contains(address, count: count) }

  /// As `HostView.fill`, in one step: nobody else has the page.
  @inlinable
  func fill(page: PFN, _ entry: (UInt64) -> UInt64) { view.fill(page: page, entry) }

  /// As above, all entries alike.
  @inlinable
  func fill(page: PFN, with value: UInt64) { view.fill(page: page, with: value) }
}
