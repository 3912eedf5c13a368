import CPrefetch
import Paging
import Synchronization

/// A handle on a buffer, for memories that must be copyable: two words.
///
/// **Requires** that the buffer outlives it.
@safe
struct BufferHandle<Space: AddressKind>: EntryMemory {
  /// Outside the buffer.
  typealias Failure = BufferHole

  let bytes: UnsafeMutableRawPointer
  /// **Units** bytes; at least one page.
  let byteCount: Int

  /// Reads one entry.
  @inline(__always)
  func load<Entry: TableEntry>(
    _ address: Address<Space>, as type: Entry.Type
  ) -> Result<Entry, BufferHole> {
    let limit = UInt64(truncatingIfNeeded: byteCount &- MemoryLayout<Entry>.size)
    guard address.rawValue <= limit else { return .failure(BufferHole(address: address.rawValue)) }
    // SAFETY: the entry lies wholly inside the buffer, by the check above and the buffer's minimum.
    let entry = unsafe bytes.loadUnaligned(
      fromByteOffset: Int(truncatingIfNeeded: address.rawValue), as: Entry.self)
    return .success(Entry(littleEndian: entry))
  }

  /// Brings an entry's line nearer.
  @inline(__always)
  func prefetch(_ address: Address<Space>) {
    guard address.rawValue < UInt64(truncatingIfNeeded: byteCount) else { return }
    // SAFETY: inside the buffer; and the instruction faults on no address.
    unsafe cprefetch_read(bytes + Int(truncatingIfNeeded: address.rawValue))
  }

  /// Replaces one entry atomically.
  func compareExchange<Entry: TableEntry>(
    _ address: Address<Space>, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, BufferHole> {
    let size = UInt64(MemoryLayout<Entry>.size)
    let limit = UInt64(byteCount) - size
    guard address.rawValue <= limit, address.rawValue % size == 0
    else { return .failure(BufferHole(address: address.rawValue)) }
    // SAFETY: inside the buffer and aligned, by the checks above; `Atomic` is laid out as its value.
    let place = unsafe bytes + Int(address.rawValue)
    let stored: Bool
    if size == 8 {
      stored = unsafe place.assumingMemoryBound(to: Atomic<UInt64>.self).pointee.compareExchange(
        expected: UInt64(expected).littleEndian, desired: UInt64(desired).littleEndian,
        ordering: .acquiringAndReleasing
      ).exchanged
    } else {
      stored = unsafe place.assumingMemoryBound(to: Atomic<UInt32>.self).pointee.compareExchange(
        expected: UInt32(expected).littleEndian, desired: UInt32(desired).littleEndian,
        ordering: .acquiringAndReleasing
      ).exchanged
    }
    return .success(stored ? .stored : .lost)
  }

  /// Writes one entry; for laying out tables.
  func store<Entry: TableEntry>(_ entry: Entry, at address: UInt64) {
    precondition(address <= UInt64(byteCount) - UInt64(MemoryLayout<Entry>.size))
    // SAFETY: inside the buffer, by the check above.
    unsafe bytes.storeBytes(
      of: entry.littleEndian, toByteOffset: Int(address), as: Entry.self)
  }
}

/// An address that a buffer does not hold.
struct BufferHole: Error, Hashable {
  /// The address.
  let address: UInt64
}
