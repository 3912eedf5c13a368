/// What a walk reads its tables from: RAM, an image file, or the translation of an outer level.
///
/// A memory serves one space of addresses. Reading through another translation is just another
/// conformer (`NestedMemory`), so two-dimensional paging is composition.
///
/// Outcomes are returned values: typed `throws` with an associated error type stays behind the
/// protocol witness on the hot path.
public protocol EntryMemory: ~Copyable {
  /// The space of the addresses that this memory answers, and that its tables therefore hold.
  associatedtype Space: AddressKind
  /// Why a load can fail: a hole, or the exit of an outer translation.
  associatedtype Failure: Error

  /// Reads one little-endian table entry.
  ///
  /// - Parameters:
  ///   - address: **Units** bytes; aligned to the size of `Entry`.
  ///   - type: the width of the entry.
  borrowing func load<Entry: TableEntry>(
    _ address: Address<Space>, as type: Entry.Type
  ) -> Result<Entry, Failure>

  /// Replaces one entry if it still holds what was read, as one atomic step.
  borrowing func compareExchange<Entry: TableEntry>(
    _ address: Address<Space>, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Failure>

  /// Brings the line that holds an entry nearer, where the memory can; never fails, changes nothing.
  borrowing func prefetch(_ address: Address<Space>)
}

extension EntryMemory where Self: ~Copyable {
  /// Does nothing.
  @inlinable
  @inline(__always)
  public borrowing func prefetch(_ address: Address<Space>) {}
}

extension UInt32: TableEntry {}
extension UInt64: TableEntry {}
