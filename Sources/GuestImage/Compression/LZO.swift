/// Decodes LZO1X streams.
///
/// **Source** the Linux kernel's "LZO stream format as understood by Linux's LZO decompressor".
struct LZO {
  private let stream: [UInt8]
  private var place = 0
  /// How many literals followed the last copy; 4 after a run of literals.
  private var state = 0

  /// Adds what a stream decodes to.
  ///
  /// - Parameter most: how much that may be. **Units** bytes.
  static func decode(
    _ stream: [UInt8], into output: inout [UInt8], most: Int
  ) throws(CompressionDamage) {
    var decoder = LZO(stream: stream)
    try decoder.decode(into: &output, start: output.count, end: output.count + most)
  }

  private init(stream: [UInt8]) { self.stream = stream }

  private mutating func decode(
    into output: inout [UInt8], start: Int, end: Int
  ) throws(CompressionDamage) {
    if let first = stream.first, first > 17 {
      place = 1
      state = min(Int(first) - 17, 4)
      try literals(Int(first) - 17, into: &output, end: end)
    }
    while true {
      let code = Int(try byte())
      let length: Int
      let distance: Int
      let trailing: Int
      switch code {
      case 0..<16 where state == 0:
        try literals(
          3 + (code == 0 ? 15 + (try extension255()) : code), into: &output, end: end)
        state = 4
        continue
      case 0..<16:
        length = state == 4 ? 3 : 2
        distance = Int(try byte()) << 2 + code >> 2 + (state == 4 ? 2049 : 1)
        trailing = code & 3
      case 16..<32:
        length = 2 + (code & 7 == 0 ? 7 + (try extension255()) : code & 7)
        let word = try word()
        distance = 16384 + (code & 8) << 11 + word >> 2
        trailing = word & 3
        if distance == 16384 {
          guard place == stream.count else {
            throw CompressionDamage("\(stream.count - place) bytes after the end of a stream")
          }
          return
        }
      case 32..<64:
        length = 2 + (code & 31 == 0 ? 31 + (try extension255()) : code & 31)
        let word = try word()
        distance = word >> 2 + 1
        trailing = word & 3
      default:
        length = code < 128 ? 3 + code >> 5 & 1 : 5 + code >> 5 & 3
        distance = Int(try byte()) << 3 + code >> 2 & 7 + 1
        trailing = code & 3
      }
      guard distance <= output.count - start else {
        throw CompressionDamage("a copy from before the stream")
      }
      guard length <= end - output.count else { throw tooLong }
      // A copy may read what it writes, so it goes byte by byte.
      for _ in 0..<length { output.append(output[output.count - distance]) }
      try literals(trailing, into: &output, end: end)
      state = trailing
    }
  }

  private mutating func literals(
    _ count: Int, into output: inout [UInt8], end: Int
  ) throws(CompressionDamage) {
    guard count <= stream.count - place else { throw endsEarly }
    guard count <= end - output.count else { throw tooLong }
    output += stream[place..<place + count]
    place += count
  }

  /// What a length of 0 in a code stands for: 255 for each zero byte, and the byte after them.
  private mutating func extension255() throws(CompressionDamage) -> Int {
    var sum = 0
    while true {
      let next = Int(try byte())
      if next > 0 { return sum + next }
      sum += 255
    }
  }

  private mutating func byte() throws(CompressionDamage) -> UInt8 {
    guard place < stream.count else { throw endsEarly }
    place += 1
    return stream[place - 1]
  }

  /// Two bytes, little-endian.
  private mutating func word() throws(CompressionDamage) -> Int {
    let low = Int(try byte())
    return low | Int(try byte()) << 8
  }

  private var endsEarly: CompressionDamage { CompressionDamage("a stream that ends early") }
  private var tooLong: CompressionDamage {
    CompressionDamage("a stream that decodes to more than a page")
  }
}
