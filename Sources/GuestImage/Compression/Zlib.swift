/// Decodes zlib streams.
///
/// Of our own, and not the C library, because what it reads is hostile: every length and distance is
/// checked by the language, and the package needs nothing installed for it. **Source** RFC 1950 and
/// RFC 1951.
enum Zlib {
  /// Adds what a stream decodes to.
  ///
  /// - Parameter most: how much that may be. **Units** bytes.
  static func decode(
    _ stream: [UInt8], into output: inout [UInt8], most: Int
  ) throws(CompressionDamage) {
    guard stream.count >= 6 else { throw CompressionDamage("a zlib stream without its ends") }
    let header = Int(stream[0]) << 8 | Int(stream[1])
    guard stream[0] & 0xF == 8, header % 31 == 0, stream[1] & 0x20 == 0 else {
      throw CompressionDamage("no zlib stream")
    }
    let start = output.count
    var bits = BitReader(stream, from: 2)
    var isLast = false
    while !isLast {
      isLast = try bits.take(1) == 1
      switch try bits.take(2) {
      case 0: try copyStored(&bits, into: &output, end: start + most)
      case 1:
        try decodeBlock(
          &bits, literals: fixedLiterals, distances: fixedDistances, into: &output, start: start,
          end: start + most)
      case 2:
        let (literals, distances) = try readCodes(&bits)
        try decodeBlock(
          &bits, literals: literals, distances: distances, into: &output, start: start,
          end: start + most)
      default: throw CompressionDamage("a block of unknown kind")
      }
    }
    try bits.align()
    var told: UInt32 = 0
    for _ in 0..<4 { told = told << 8 | UInt32(try bits.take(8)) }
    guard told == adler32(output[start...]) else {
      throw CompressionDamage("the checksum of a stream is wrong")
    }
  }

  private static func copyStored(
    _ bits: inout BitReader, into output: inout [UInt8], end: Int
  ) throws(CompressionDamage) {
    try bits.align()
    let count = try bits.take(16)
    guard try bits.take(16) == count ^ 0xFFFF else {
      throw CompressionDamage("a stored block whose length is told twice, and not alike")
    }
    guard count <= end - output.count else { throw tooLong }
    for _ in 0..<count { output.append(UInt8(try bits.take(8))) }
  }

  private static func decodeBlock(
    _ bits: inout BitReader, literals: HuffmanCode, distances: HuffmanCode,
    into output: inout [UInt8], start: Int, end: Int
  ) throws(CompressionDamage) {
    while true {
      let symbol = try literals.next(&bits)
      if symbol < 256 {
        guard output.count < end else { throw tooLong }
        output.append(UInt8(symbol))
        continue
      }
      if symbol == 256 { return }
      guard symbol - 257 < lengths.count else { throw CompressionDamage("a length of no meaning") }
      let length = lengths[symbol - 257]
      let count = length.base + (try bits.take(length.extra))
      let code = try distances.next(&bits)
      guard code < farness.count else { throw CompressionDamage("a distance of no meaning") }
      let distance = farness[code].base + (try bits.take(farness[code].extra))
      guard distance <= output.count - start else {
        throw CompressionDamage("a copy from before the stream")
      }
      guard count <= end - output.count else { throw tooLong }
      // A copy may read what it writes, so it goes byte by byte.
      for _ in 0..<count { output.append(output[output.count - distance]) }
    }
  }

  /// The codes of a dynamic block, themselves coded.
  private static func readCodes(
    _ bits: inout BitReader
  ) throws(CompressionDamage) -> (literals: HuffmanCode, distances: HuffmanCode) {
    let literalCount = try bits.take(5) + 257
    let distanceCount = try bits.take(5) + 1
    let codeCount = try bits.take(4) + 4
    guard literalCount <= 286, distanceCount <= 30 else {
      throw CompressionDamage("a code with too many symbols")
    }
    var codeLengths = [UInt8](repeating: 0, count: codeOrder.count)
    for place in codeOrder.prefix(codeCount) { codeLengths[place] = UInt8(try bits.take(3)) }
    let code = try HuffmanCode(lengths: codeLengths[...])
    var lengths: [UInt8] = []
    while lengths.count < literalCount + distanceCount {
      let symbol = try code.next(&bits)
      if symbol < 16 {
        lengths.append(UInt8(symbol))
        continue
      }
      var repeated: UInt8 = 0
      let count: Int
      switch symbol {
      case 16:
        guard let last = lengths.last else { throw CompressionDamage("a repeat of nothing") }
        repeated = last
        count = try bits.take(2) + 3
      case 17: count = try bits.take(3) + 3
      default: count = try bits.take(7) + 11
      }
      guard count <= literalCount + distanceCount - lengths.count else {
        throw CompressionDamage("a repeat past the last symbol")
      }
      lengths += repeatElement(repeated, count: count)
    }
    return (
      try HuffmanCode(lengths: lengths[..<literalCount]),
      try HuffmanCode(lengths: lengths[literalCount...])
    )
  }

  private static func adler32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var (low, high) = (1 as UInt32, 0 as UInt32)
    var rest = bytes
    while !rest.isEmpty {
      // So many bytes keep both sums below 2^32, and a remainder is dear.
      for byte in rest.prefix(4096) {
        low &+= UInt32(byte)
        high &+= low
      }
      low %= 65521
      high %= 65521
      rest = rest.dropFirst(4096)
    }
    return high << 16 | low
  }

  private static var tooLong: CompressionDamage {
    CompressionDamage("a stream that decodes to more than a page")
  }
}

/// The numbers of RFC 1951.
extension Zlib {
  private typealias Extended = (base: Int, extra: Int)

  /// In which order the lengths of the code of lengths come.
  private static let codeOrder = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
  ]

  /// Symbols 257 to 285: from 3 on, four of a kind, each kind twice as wide; the last is 258 alone.
  private static let lengths: [Extended] = {
    var lengths: [Extended] = []
    var base = 3
    for symbol in 0..<28 {
      let extra = max(symbol / 4 - 1, 0)
      lengths.append((base, extra))
      base += 1 << extra
    }
    return lengths + [(258, 0)]
  }()

  /// Distances: from 1 on, two of a kind, each kind twice as wide.
  private static let farness: [Extended] = {
    var distances: [Extended] = []
    var base = 1
    for symbol in 0..<30 {
      let extra = max(symbol / 2 - 1, 0)
      distances.append((base, extra))
      base += 1 << extra
    }
    return distances
  }()

  private static let fixedLiterals = fixed(
    [UInt8](repeating: 8, count: 144) + [UInt8](repeating: 9, count: 112)
      + [UInt8](repeating: 7, count: 24) + [UInt8](repeating: 8, count: 8))
  private static let fixedDistances = fixed([UInt8](repeating: 5, count: 30))

  private static func fixed(_ lengths: [UInt8]) -> HuffmanCode {
    do { return try HuffmanCode(lengths: lengths[...]) } catch {
      preconditionFailure("the RFC's own code")
    }
  }
}
