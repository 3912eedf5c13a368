public import Paging

/// Runs of bytes, piece by piece: guests may use them meanwhile.
extension HostView {
  /// The bytes of a range, or `nil` unless the whole range lies inside. Whole words are read at once.
  public func read(_ address: HPA, count: Int) -> [UInt8]? {
    guard contains(address, count: count) else { return nil }
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      var done = 0
      while done < count {
        let size = Self.pieceSize(at: address.wrappingAdd(UInt64(done)), atMost: count - done)
        let piece = loadPiece(address.wrappingAdd(UInt64(done)), size: size)
        for byte in 0..<size {
          // SAFETY: the buffer holds `count` bytes, and the pieces end there.
          unsafe buffer.initializeElement(
            at: done + byte, to: UInt8(truncatingIfNeeded: piece >> UInt64(byte * 8)))
        }
        done += size
      }
      filled = count
    }
  }

  /// Copies bytes in; nothing is copied unless the whole range lies inside. Whole words are written at
  /// once.
  public func write(_ bytes: RawSpan, at address: HPA) -> Bool {
    let count = bytes.byteCount
    guard contains(address, count: count) else { return false }
    var done = 0
    while done < count {
      let at = address.wrappingAdd(UInt64(done))
      let size = Self.pieceSize(at: at, atMost: count - done)
      storePiece(Self.piece(of: bytes, at: done, size: size), at, size: size)
      done += size
    }
    return true
  }

  /// Bytes of a span as a little-endian number. **Requires** that they lie inside it.
  private static func piece(of bytes: RawSpan, at offset: Int, size: Int) -> UInt64 {
    // SAFETY: the span checks its bounds; numbers have no invalid bits.
    if size == 8 {
      return UInt64(
        littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
    return (0..<size).reduce(0) { value, byte in
      let next = unsafe bytes.unsafeLoad(fromByteOffset: offset + byte, as: UInt8.self)
      return value | UInt64(next) << UInt64(byte * 8)
    }
  }

  /// Writes zeros over a page that guests may use.
  func clear(page: PFN) {
    guard contains(page.baseAddress, count: 4096) else { return }
    for index in 0..<512 as Range<UInt64> {
      storePiece(0, page.baseAddress.wrappingAdd(index * 8), size: 8)
    }
  }

  /// Copies a page that nobody writes now over one that guests may use.
  func copy(page source: PFN, to page: PFN) {
    guard contains(source.baseAddress, count: 4096), contains(page.baseAddress, count: 4096) else {
      return
    }
    for offset in stride(from: 0, to: 4096 as UInt64, by: 8) {
      storePiece(
        loadPiece(source.baseAddress.wrappingAdd(offset), size: 8),
        page.baseAddress.wrappingAdd(offset), size: 8)
    }
  }
}
