package import Paging

/// The PT_LOAD segments of a little-endian ELF64 core, read as memory by physical address.
package struct ELFSegments<Space: AddressKind>: EntryMemory {
  /// A load outside every segment.
  package struct Hole: Error, Hashable {
    /// The byte address that was asked for.
    package let address: UInt64
  }

  private let file: [UInt8]
  private let segments: [(address: UInt64, count: UInt64, offset: UInt64)]

  /// The segments of a core, or `nil` where the bytes are none.
  package init?(_ file: [UInt8]) {
    guard file.starts(with: [0x7F, 0x45, 0x4C, 0x46, 2, 1]), file.count >= 64 else { return nil }
    func number(_ offset: Int, _ count: Int) -> UInt64 {
      guard offset >= 0, offset <= file.count - count else { return 0 }
      return file[offset..<offset + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
    let table = Int(truncatingIfNeeded: number(32, 8))
    segments = (0..<Int(number(56, 2))).compactMap { index in
      let header = table &+ index * 56
      guard number(header, 4) == 1 else { return nil }
      return (number(header &+ 24, 8), number(header &+ 32, 8), number(header &+ 8, 8))
    }
    self.file = file
  }

  package func load<Entry: TableEntry>(
    _ address: Address<Space>, as type: Entry.Type
  ) -> Result<Entry, Hole> {
    let size = UInt64(MemoryLayout<Entry>.size)
    for segment in segments {
      let inside = address.rawValue &- segment.address
      guard inside < segment.count, segment.count - inside >= size,
        let start = Int(exactly: segment.offset &+ inside), start <= file.count - Int(size)
      else { continue }
      let bytes = file[start..<start + Int(size)]
      return .success(bytes.reversed().reduce(0) { $0 << 8 | Entry($1) })
    }
    return .failure(Hole(address: address.rawValue))
  }

  package func compareExchange<Entry: TableEntry>(
    _ address: Address<Space>, expected: Entry, desired: Entry
  ) -> Result<EntryExchange, Hole> {
    .success(.readOnly)
  }
}
