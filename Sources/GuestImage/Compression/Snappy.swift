/// Decodes snappy: the frames of a stream, and the blocks in them.
///
/// **Source** Google's "Snappy framing format description" and "Snappy compressed format description".
enum Snappy {
  /// **Units** bytes that a frame decodes to at most.
  static var largestFrame: Int { 65536 }

  /// Adds what a block decodes to.
  ///
  /// Every length and offset in it is checked, so it adds `largestFrame` bytes at most.
  static func decode(
    block: borrowing Span<UInt8>, into output: inout [UInt8]
  ) throws(CompressionDamage) {
    var place = 0
    let wanted = try length(block, &place)
    guard wanted <= largestFrame else { throw CompressionDamage("a block of \(wanted) bytes") }
    let start = output.count
    while place < block.count {
      let tag = block[place]
      place += 1
      if tag & 3 == 0 {
        let count = try literalLength(tag, block, &place)
        guard count <= block.count - place, count <= wanted - (output.count - start) else {
          throw CompressionDamage("a literal of \(count) bytes that does not fit")
        }
        for index in place..<place + count { output.append(block[index]) }
        place += count
      } else {
        let (count, offset) = try copy(tag, block, &place)
        guard offset > 0, offset <= output.count - start else {
          throw CompressionDamage("a copy from before the block")
        }
        guard count <= wanted - (output.count - start) else {
          throw CompressionDamage("a copy of \(count) bytes that does not fit")
        }
        // A copy may read what it writes, so it goes byte by byte.
        for _ in 0..<count { output.append(output[output.count - offset]) }
      }
    }
    guard output.count - start == wanted else {
      throw CompressionDamage("a block of \(output.count - start) bytes where \(wanted) are told")
    }
  }

  private static func length(
    _ block: borrowing Span<UInt8>, _ place: inout Int
  ) throws(CompressionDamage) -> Int {
    var value = 0
    for shift in stride(from: 0, to: 35, by: 7) {
      let byte = try number(1, block, &place)
      value |= (byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw CompressionDamage("a length of more than five bytes")
  }

  private static func literalLength(
    _ tag: UInt8, _ block: borrowing Span<UInt8>, _ place: inout Int
  ) throws(CompressionDamage) -> Int {
    let short = Int(tag >> 2)
    return short < 60 ? short + 1 : try number(short - 59, block, &place) + 1
  }

  private static func copy(
    _ tag: UInt8, _ block: borrowing Span<UInt8>, _ place: inout Int
  ) throws(CompressionDamage) -> (count: Int, offset: Int) {
    switch tag & 3 {
    case 1:
      let low = try number(1, block, &place)
      return (Int(tag >> 2 & 7) + 4, Int(tag >> 5) << 8 | low)
    case 2: return (Int(tag >> 2) + 1, try number(2, block, &place))
    default: return (Int(tag >> 2) + 1, try number(4, block, &place))
    }
  }

  /// A little-endian number of one to four bytes.
  private static func number(
    _ count: Int, _ block: borrowing Span<UInt8>, _ place: inout Int
  ) throws(CompressionDamage) -> Int {
    guard count <= block.count - place else { throw CompressionDamage("a block that ends early") }
    var value = 0
    for index in 0..<count { value |= Int(block[place + index]) << (8 * index) }
    place += count
    return value
  }
}
