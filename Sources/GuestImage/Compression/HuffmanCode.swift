/// A canonical Huffman code of DEFLATE: symbols by the lengths of their codes.
///
/// Codes of up to nine bits, which nearly all are, are looked up at once; longer ones are found length
/// by length. **Source** RFC 1951, "Use of Huffman coding in the 'deflate' format".
struct HuffmanCode {
  private static var quickBits: Int { 9 }
  private static var longest: Int { 15 }

  /// Of each short code, by its bits as they come: the symbol above four bits of length; 0 where it
  /// is longer.
  private var quick: InlineArray<512, UInt16> = .init(repeating: 0)
  /// How many codes have each length.
  private var counts: InlineArray<16, Int> = .init(repeating: 0)
  /// The symbols by ascending code.
  private var symbols: InlineArray<288, UInt16> = .init(repeating: 0)

  /// A code.
  ///
  /// - Parameter lengths: of the code of each symbol, 0...15; 0 for a symbol that does not occur.
  /// - Throws: where there are more than 288, or more of a length than there is room for.
  init(lengths: ArraySlice<UInt8>) throws(CompressionDamage) {
    guard lengths.count <= 288 else { throw CompressionDamage("a code with too many symbols") }
    for length in lengths { counts[Int(length)] += 1 }
    counts[0] = 0
    var room = 1
    var nextCode: InlineArray<17, Int> = .init(repeating: 0)
    var nextPlace: InlineArray<17, Int> = .init(repeating: 0)
    for length in 1...Self.longest {
      room = room * 2 - counts[length]
      guard room >= 0 else { throw CompressionDamage("a code with too many symbols") }
      nextCode[length + 1] = (nextCode[length] + counts[length]) * 2
      nextPlace[length + 1] = nextPlace[length] + counts[length]
    }
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
          quick[place] = symbol << 4 | UInt16(length)
        }
      }
      nextCode[width] += 1
    }
  }

  /// The next symbol.
  func next(_ bits: inout BitReader) throws(CompressionDamage) -> Int {
    let window = bits.peek(Self.longest)
    let short = Int(quick[window & (quick.count - 1)])
    if short > 0 {
      try bits.skip(short & 15)
      return short >> 4
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
