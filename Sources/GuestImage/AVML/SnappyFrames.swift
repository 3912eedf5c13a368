/// The chunks of one stream in snappy's framing format, as their headers tell.
struct SnappyFrames {
  /// A chunk of data.
  struct Chunk {
    /// Where its data begin in the file, after the checksum. **Units** bytes.
    var offset: UInt64
    var size: UInt64
    var isCompressed: Bool
    /// **Units** bytes, at most 65536.
    var length: Int
    var checksum: UInt32
  }

  private(set) var chunks: [Chunk] = []
  /// The first offset after the stream.
  private(set) var end: UInt64
  private let range: Int

  private static var longestChunk: UInt64 { 65536 }

  /// Reads the headers of a stream that holds as many bytes.
  ///
  /// - Throws: `ImageError.badCompression`: the stream ends early, holds more, or is damaged.
  init(
    _ bytes: ImageBytes, at start: UInt64, holding size: UInt64, range: Int
  ) throws(ImageError) {
    end = start
    self.range = range
    var found: UInt64 = 0
    while found < size {
      guard let word = bytes.load(UInt32.self, at: end).map(UInt32.init(littleEndian:)) else {
        throw damage(end, "it ends after \(found) of \(size) bytes")
      }
      let kind = UInt8(truncatingIfNeeded: word)
      let body = end + 4
      let bodySize = UInt64(word >> 8)
      guard bytes.holds(offset: body, size: bodySize) else {
        throw damage(end, "a chunk is cut short")
      }
      switch kind {
      case 0xFF:
        let name: [UInt8] = Array("sNaPpY".utf8)
        guard bodySize == 6,
          name.indices.allSatisfy({ bytes.load(UInt8.self, at: body + UInt64($0)) == name[$0] })
        else { throw damage(end, "a stream identifier that is not sNaPpY") }
      case 0, 1:
        guard bodySize >= 4, let checksum = bytes.load(UInt32.self, at: body) else {
          throw damage(end, "a chunk without a checksum")
        }
        var chunk = Chunk(
          offset: body + 4, size: bodySize - 4, isCompressed: kind == 0, length: 0,
          checksum: UInt32(littleEndian: checksum))
        var length = chunk.size
        if chunk.isCompressed {
          guard let preamble = Self.length(bytes, chunk) else {
            throw damage(end, "a chunk without a length")
          }
          length = preamble.length
          chunk.offset += preamble.size
          chunk.size -= preamble.size
        }
        guard length <= Self.longestChunk, length <= size - found else {
          throw damage(end, "a chunk of \(length) bytes, where \(size - found) are left")
        }
        chunk.length = Int(length)
        found += length
        chunks.append(chunk)
      case 0x80...0xFE: break
      default: throw damage(end, "a chunk of the unknown kind \(kind)")
      }
      end = body + bodySize
    }
  }

  /// The varint before compressed data.
  private static func length(
    _ bytes: ImageBytes, _ chunk: Chunk
  ) -> (length: UInt64, size: UInt64)? {
    var length: UInt64 = 0
    for index in 0..<min(5, chunk.size) {
      guard let byte = bytes.load(UInt8.self, at: chunk.offset + index) else { return nil }
      length |= UInt64(byte & 0x7F) << (7 * index)
      if byte < 0x80 { return (length, index + 1) }
    }
    return nil
  }

  private func damage(_ offset: UInt64, _ what: String) -> ImageError {
    .badCompression(range: range, offset: offset, what)
  }

  /// Writes the stream's bytes, chunk after chunk, checking each.
  ///
  /// **Requires** room for all of them from `target` on.
  func decompress(
    _ bytes: ImageBytes, to place: UnsafeMutableRawBufferPointer, at target: Int
  ) throws(ImageError) {
    var target = target
    for chunk in chunks {
      precondition(target >= 0 && chunk.length <= place.count - target)
      // SAFETY: both ranges are checked: the chunk's against the file when it was read, the target's
      // above.
      let source = unsafe UnsafeRawBufferPointer(
        start: bytes.start + Int(chunk.offset), count: Int(chunk.size))
      let output = unsafe UnsafeMutableRawBufferPointer(
        rebasing: place[target..<target + chunk.length])
      if chunk.isCompressed {
        guard unsafe SnappyBlock.decompress(source, to: output) else {
          throw damage(chunk.offset, "a chunk's data are damaged")
        }
      } else {
        unsafe output.copyMemory(from: source)
      }
      guard unsafe CRC32C.masked(UnsafeRawBufferPointer(output)) == chunk.checksum else {
        throw damage(chunk.offset, "a chunk's checksum is wrong")
      }
      target += chunk.length
    }
  }
}
