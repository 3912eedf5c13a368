public import Paging

extension GuestImage: EntryMemory {
  /// Guest-physical addresses.
  public typealias Space = GuestPhysical
  /// An address in no segment.
  public typealias Failure = ImageHole

  /// Reads one little-endian entry, which may lie at any alignment in the file.
  ///
  /// - Returns: the entry; zeros where the segment is longer than its bytes in the file; or the first
  ///   address of the entry that no segment holds.
  @inlinable
  @inline(__always)  // PERF: image.map
  public func load<Entry: TableEntry>(
    _ address: GPA, as type: Entry.Type
  ) -> Result<Entry, ImageHole> {
    let size = UInt64(MemoryLayout<Entry>.size)
    if let segment = table.find(address.rawValue), segment.backed >= size {
      let offset = address.rawValue &- segment.start
      if offset <= segment.backed &- size {
        // SAFETY: the entry ends within the segment's bytes, and those lie in the file.
        let entry = unsafe start.loadUnaligned(
          fromByteOffset: Int(truncatingIfNeeded: segment.offset &+ offset), as: Entry.self)
        return .success(Entry(littleEndian: entry))
      }
    }
    return loadBytewise(address)
  }

  /// An entry that is not wholly backed by one segment's bytes.
  @inlinable
  func loadBytewise<Entry: TableEntry>(_ address: GPA) -> Result<Entry, ImageHole> {
    var entry: Entry = 0
    for index in 0..<UInt64(MemoryLayout<Entry>.size) {
      let byteAddress = address.wrappingAdd(index)
      guard let byte = byte(at: byteAddress) else { return .failure(ImageHole(byteAddress)) }
      entry |= Entry(byte) &<< Entry(index &* 8)
    }
    return .success(entry)
  }

  /// Refuses: an image is never written.
  ///
  /// - Returns: `.readOnly` where the image holds the entry, else the hole.
  @inlinable
  public func compareExchange<Entry: TableEntry>(
    _ address: GPA, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, ImageHole> {
    load(address, as: Entry.self).map { _ in .readOnly }
  }
}
