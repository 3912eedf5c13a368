import Paging

/// Guest-physical memory in one buffer, as a program that embeds the package would write it.
///
/// **Units** bytes; the buffer's first byte is address 0.
@safe
struct BufferMemory: ~Copyable, EntryMemory {
  /// Guest-physical.
  typealias Space = GuestPhysical
  /// Outside the buffer.
  typealias Failure = BufferHole

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

  /// The buffer as a copyable memory of another space.
  func handle<Kind: AddressKind>(_ kind: Kind.Type) -> BufferHandle<Kind> {
    unsafe BufferHandle(bytes: bytes, byteCount: byteCount)
  }

  private var own: BufferHandle<GuestPhysical> {
    @inline(__always) get { unsafe BufferHandle(bytes: bytes, byteCount: byteCount) }
  }

  /// Reads one entry.
  @inline(__always)
  func load<Entry: TableEntry>(_ address: GPA, as type: Entry.Type) -> Result<Entry, BufferHole> {
    own.load(address, as: type)
  }

  /// Brings an entry's line nearer.
  @inline(__always)
  func prefetch(_ address: GPA) { own.prefetch(address) }

  /// Replaces one entry atomically.
  func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, BufferHole> {
    own.compareExchange(address, expected: expected, desired: desired)
  }

  /// Writes one entry; for laying out tables.
  func store<Entry: TableEntry>(_ entry: Entry, at address: UInt64) {
    own.store(entry, at: address)
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
