/// Snappy's compression of one block, without the length in front.
///
/// **Source** snappy's "compressed format description".
enum SnappyBlock {
  /// Decompresses a block that fills the output exactly.
  ///
  /// - Returns: whether it does, and every element is legal; else the output is partly written.
  static func decompress(
    _ source: UnsafeRawBufferPointer, to output: UnsafeMutableRawBufferPointer
  ) -> Bool {
    var read = 0
    var written = 0
    /// A little-endian number of 1 to 4 bytes, or `nil` past the end.
    func number(_ count: Int) -> Int? {
      guard count <= source.count - read else { return nil }
      var value = 0
      for index in 0..<count {
        // SAFETY: range checked.
        value |= unsafe Int(source[read + index]) << (8 * index)
      }
      read += count
      return value
    }
    while read < source.count {
      guard let tag = number(1) else { return false }
      if tag & 3 == 0 {
        var length = tag >> 2
        if length >= 60 {
          guard let long = number(length - 59) else { return false }
          length = long
        }
        length += 1
        guard length <= source.count - read, length <= output.count - written else { return false }
        // SAFETY: both ranges are checked, and of equal length.
        unsafe UnsafeMutableRawBufferPointer(rebasing: output[written..<written + length])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: source[read..<read + length]))
        read += length
        written += length
        continue
      }
      let length = tag & 3 == 1 ? tag >> 2 & 7 + 4 : tag >> 2 + 1
      guard let low = number(tag & 3 == 1 ? 1 : tag & 3 == 2 ? 2 : 4) else { return false }
      let distance = tag & 3 == 1 ? (tag >> 5) << 8 | low : low
      guard distance > 0, distance <= written, length <= output.count - written else {
        return false
      }
      for index in written..<written + length {
        // SAFETY: checked: index - distance is not negative and below index, index within the output.
        unsafe output[index] = unsafe output[index - distance]
      }
      written += length
    }
    return written == output.count
  }
}

/// The checksum of snappy's framing format.
///
/// **Source** RFC 3720, "CRC32C"; snappy's "framing format" description for the mask.
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { value, _ in value >> 1 ^ (value & 1) &* 0x82F6_3B78 }
  }

  /// The masked checksum.
  static func masked(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var value = ~0 as UInt32
    for index in bytes.indices {
      // SAFETY: an index of the buffer.
      let byte = unsafe UInt32(bytes[index])
      value = table[Int((value ^ byte) & 0xFF)] ^ value >> 8
    }
    value = ~value
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }
}
