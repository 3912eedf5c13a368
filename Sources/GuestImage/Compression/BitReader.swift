/// Bits of a DEFLATE stream, the lowest of each byte first.
struct BitReader {
  private let bytes: [UInt8]
  private var place: Int
  private var held: UInt64 = 0
  private var count = 0

  /// A reader from a byte on.
  init(_ bytes: [UInt8], from place: Int) {
    self.bytes = bytes
    self.place = place
  }

  /// The next bits without taking them; zeros past the end.
  ///
  /// - Parameter wanted: 0...32.
  mutating func peek(_ wanted: Int) -> Int {
    while count < wanted, place < bytes.count {
      held |= UInt64(bytes[place]) << UInt64(count)
      place += 1
      count += 8
    }
    return Int(held & (1 << UInt64(wanted) - 1))
  }

  /// Takes bits that were looked at.
  mutating func skip(_ taken: Int) throws(CompressionDamage) {
    guard taken <= count else { throw CompressionDamage("a stream that ends early") }
    held >>= UInt64(taken)
    count -= taken
  }

  /// Takes the next bits as a number.
  ///
  /// - Parameter wanted: 0...32.
  mutating func take(_ wanted: Int) throws(CompressionDamage) -> Int {
    let bits = peek(wanted)
    try skip(wanted)
    return bits
  }

  /// Leaves out what remains of a byte.
  mutating func align() throws(CompressionDamage) { try skip(count % 8) }
}
