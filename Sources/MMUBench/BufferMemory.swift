import CPrefetch
import Paging
import Synchronization

/// Guest-physical memory in one buffer, as a program that embeds the package would write it.
///
/// **Units** bytes; the buffer's first byte is address 0.
@safe
struct BufferMemory: ~Copyable, EntryMemory {
  /// Guest-physical.
  typealias Space = GuestPhysical
  /// Outside the buffer.
  typealias Failure = Hole

  /// An address that the buffer does not hold.
  struct Hole: Error, Hashable {
    /// The address.
    let address: GPA
  }

  let bytes: UnsafeMutableRawPointer
  /// **Units** bytes.
  let byteCount: Int

  /// A zeroed buffer.
  ///
  /// - Parameter byteCount: **Units** bytes; at least one page.
  init(byteCount: Int) {
    precondition(byteCount >= 4096)
    self.byteCount = byteCount
    unsafe bytes = .allocate(byteCount: byteCount, alignment: 4096)
    clear()
  }

  deinit { unsafe bytes.deallocate() }

  /// Zeroes the buffer.
  func clear() { unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount) }

  /// Reads one entry.
  @inline(__always)
  func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, Hole> {
    let limit = UInt64(truncatingIfNeeded: byteCount &- MemoryLayout<Entry>.size)
    guard address.rawValue <= limit else { return .failure(Hole(address: address)) }
    // SAFETY: the entry lies wholly inside the buffer, by the check above and the buffer's minimum.
    let entry = unsafe bytes.loadUnaligned(
      fromByteOffset: Int(truncatingIfNeeded: address.rawValue), as: Entry.self)
    return .success(Entry(littleEndian: entry))
  }

  /// Brings an entry's line nearer.
  @inline(__always)
  func prefetch(_ address: GPA) {
    guard address.rawValue < UInt64(truncatingIfNeeded: byteCount) else { return }
    // SAFETY: inside the buffer; and the instruction faults on no address.
    unsafe cprefetch_read(bytes + Int(truncatingIfNeeded: address.rawValue))
  }

  /// Replaces one entry atomically.
  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Hole> {
    let size = UInt64(MemoryLayout<Entry>.size)
    let limit = UInt64(byteCount) - size
    guard address.rawValue <= limit, address.rawValue % size == 0
    else { return .failure(Hole(address: address)) }
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

  /// A digest of the whole buffer: tables that differ in one bit differ here, practically always.
  func digest() -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for offset in stride(from: 0, to: byteCount, by: 8) {
      let word = unsafe bytes.load(fromByteOffset: offset, as: UInt64.self)
      hash = (hash ^ word) &* 0x0000_0100_0000_01B3
      hash ^= hash &>> 29
    }
    return hash
  }
}
