/// A canonical Huffman code of DEFLATE: symbols by the lengths of their codes.
///
/// Codes of up to nine bits, which nearly all are, are looked up at once; longer ones are found length
/// by length. **Source** RFC 1951, "Use of Huffman coding in the 'deflate' format".
struct HuffmanCode {
  private static var quickBits: Int { 9 }
  private static var longest: Int { 15 }

  /// Symbol and length of each short code, by its bits as they come; length 0 where it is longer.
  private var quick: [(symbol: UInt16, length: UInt8)]
  /// How many codes have each length.
  private var counts = [Int](repeating: 0, count: 16)
  /// The symbols by ascending code.
  private var symbols: [UInt16]

  /// A code.
  ///
  /// - Parameter lengths: of the code of each symbol, 0...15; 0 for a symbol that does not occur.
  /// - Throws: where more codes have a length than there is room for.
  init(lengths: ArraySlice<UInt8>) throws(CompressionDamage) {
    for length in lengths { counts[Int(length)] += 1 }
    counts[0] = 0
    var room = 1
    var firstCode = [Int](repeating: 0, count: 17)
    var firstPlace = [Int](repeating: 0, count: 17)
    for length in 1...Self.longest {
      room = room * 2 - counts[length]
      guard room >= 0 else { throw CompressionDamage("a code with too many symbols") }
      firstCode[length + 1] = (firstCode[length] + counts[length]) * 2
      firstPlace[length + 1] = firstPlace[length] + counts[length]
    }
    symbols = [UInt16](repeating: 0, count: firstPlace[16])
    quick = Array(repeating: (0, 0), count: 1 << Self.quickBits)
    var nextCode = firstCode
    var nextPlace = firstPlace
    for (symbol, length) in zip(UInt16(0)..., lengths) where length > 0 {
      let width = Int(length)
      symbols[nextPlace[width]] = symbol
      nextPlace[width] += 1
      if width <= Self.quickBits {
        // A code comes highest bit first, numbers lowest bit first: it is kept mirrored.
        var mirrored = 0
        for bit in 0..<width where nextCode[width] >> bit & 1 == 1 {
          mirrored |= 1 << (width - 1 - bit)
        }
        for place in stride(from: mirrored, to: quick.count, by: 1 << width) {
          quick[place] = (symbol, length)
        }
      }
      nextCode[width] += 1
    }
  }

  /// The next symbol.
  func next(_ bits: inout BitReader) throws(CompressionDamage) -> Int {
    let window = bits.peek(Self.longest)
    let short = quick[window & (quick.count - 1)]
    if short.length > 0 {
      try bits.skip(Int(short.length))
      return Int(short.symbol)
    }
    var code = 0
    var first = 0
    var place = 0
    for length in 1...Self.longest {
      code |= window >> (length - 1) & 1
      if code - first < counts[length] {
        try bits.skip(length)
        return Int(symbols[place + code - first])
      }
      place += counts[length]
      first = (first + counts[length]) * 2
      code *= 2
    }
    throw CompressionDamage("bits that are no code")
  }
}
