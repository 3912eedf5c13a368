public import Paging

/// Guest memory as an MMU walks the guest's tables in it: `GuestView` without a reference count, for
/// one walk, of which no tracker hears. **Requires** that the table of slots is alive.
@safe
@usableFromInline
struct PlainGuestView: EntryMemory {
  @usableFromInline typealias Space = GuestPhysical
  @usableFromInline typealias Failure = GuestMemoryHole

  @usableFromInline let slots: PlainMemslots
  @usableFromInline let host: HostView
  /// The index of the slot to look at first.
  @usableFromInline let hint: Int
  private let table: Unmanaged<MemslotTable>

  @usableFromInline
  init(_ table: MemslotTable, host: HostView, hint: Int) {
    slots = table.plain
    self.host = host
    self.hint = hint
    unsafe self.table = unsafe .passUnretained(table)
  }

  @inlinable  // PERF: fault.shadow
  func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> {
    var hint = hint
    guard let slot = slots.slot(for: address.frame, hint: &hint), !slot.mayLackPages else {
      return loadElsewhere(address, as: type)
    }
    guard let pfn = slot.pfn(of: address.frame),
      case .success(let entry) = host.load(
        pfn.baseAddress.wrappingAdd(address.offset(in: .size4KiB)), as: type)
    else { return .failure(GuestMemoryHole(gpa: address)) }
    return .success(entry)
  }

  /// Where a page may have to be brought first, or there is none.
  @usableFromInline
  func loadElsewhere<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, GuestMemoryHole> { whole.load(address, as: type) }

  @usableFromInline
  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, GuestMemoryHole> {
    whole.compareExchange(address, expected: expected, desired: desired)
  }

  // SAFETY: the table is alive.
  private var whole: GuestView {
    GuestView(
      slots: unsafe table._withUnsafeGuaranteedRef { $0 }, host: host, tracker: nil, hint: hint)
  }
}
