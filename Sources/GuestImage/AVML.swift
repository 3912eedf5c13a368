import Paging

/// AVML's compressed captures: ranges as in LiME, each a stream of snappy frames.
///
/// **Shape** magic `AVML`, version 2 (4 B each), first and last address (8 B each), 8 B; a snappy stream;
/// the stream's size (8 B); and so on until the file ends. The memory is decoded when the file is
/// opened, so it must fit in memory; a stream cannot grow by more than snappy's own factor of about
/// 21. **Source** AVML's behaviour.
enum AVML {
  static var magic: [UInt8] { Array("AVML".utf8) }
  static var headerSize: UInt64 { 32 }

  /// The ranges, placed in the decoded bytes.
  static func read(_ bytes: ImageBytes) throws(ImageError) -> (ImageContents, decoded: [UInt8]) {
    var contents = ImageContents()
    var decoded: [UInt8] = []
    let fileSize = UInt64(bytes.count)
    var offset: UInt64 = 0
    var number = 0
    while offset < fileSize {
      guard bytes.holds(offset: offset, size: headerSize),
        let version = bytes.load(UInt32.self, at: offset + 4),
        let first = bytes.load(UInt64.self, at: offset + 8),
        let last = bytes.load(UInt64.self, at: offset + 16)
      else {
        throw .headerCutShort("header of AVML range \(number)", offset: offset, fileSize: fileSize)
      }
      for (index, byte) in magic.enumerated()
      where bytes.load(UInt8.self, at: offset + UInt64(index)) != byte {
        throw .unsupported(
          field: "the magic of AVML range \(number) at offset \(offset)",
          value: UInt64(UInt32(littleEndian: bytes.load(UInt32.self, at: offset) ?? 0)),
          allowed: "0x4c4d5641, 'AVML'")
      }
      guard UInt32(littleEndian: version) == 2 else {
        throw .unsupported(
          field: "the version of AVML range \(number)",
          value: UInt64(UInt32(littleEndian: version)), allowed: "2")
      }
      let start = GPA(UInt64(littleEndian: first))
      let end = GPA(UInt64(littleEndian: last))
      guard start <= end else { throw .rangeReversed(number: number, start: start, end: end) }
      let (size, overflow) = (end.rawValue - start.rawValue).addingReportingOverflow(1)
      guard !overflow else {
        throw .segmentTooLong(number: number, gpa: start, size: end.rawValue)
      }
      let place = UInt64(decoded.count)
      offset = try readStream(
        bytes, at: offset + headerSize, size: size, number: number, into: &decoded)
      contents.segments.append(
        ImageSegment(number: number, gpa: start, size: size, fileOffset: place, fileSize: size))
      number += 1
    }
    return (contents, decoded)
  }

  /// Decodes frames until a range is whole.
  ///
  /// - Returns: the offset of what follows the stream's size.
  private static func readStream(
    _ bytes: ImageBytes, at start: UInt64, size: UInt64, number: Int, into decoded: inout [UInt8]
  ) throws(ImageError) -> UInt64 {
    let begin = UInt64(decoded.count)
    var offset = start
    while UInt64(decoded.count) - begin < size {
      guard let header = bytes.load(UInt32.self, at: offset) else {
        throw .compressedDamaged(number: number, offset: offset, "the stream ends early")
      }
      let kind = UInt8(truncatingIfNeeded: UInt32(littleEndian: header))
      let length = UInt64(UInt32(littleEndian: header) >> 8)
      guard bytes.holds(offset: offset + 4, size: length) else {
        throw .compressedDamaged(
          number: number, offset: offset, "a frame of \(length) bytes runs past the end")
      }
      do throws(CompressionDamage) {
        try readFrame(kind, bytes.copy(offset: offset + 4, count: Int(length)), into: &decoded)
      } catch {
        throw .compressedDamaged(number: number, offset: offset, error.words)
      }
      offset += 4 + length
    }
    guard UInt64(decoded.count) - begin == size else {
      throw .compressedDamaged(
        number: number, offset: offset,
        "the stream has \(UInt64(decoded.count) - begin) bytes where \(size) are told")
    }
    guard let told = bytes.load(UInt64.self, at: offset),
      UInt64(littleEndian: told) == offset - start
    else {
      throw .compressedDamaged(
        number: number, offset: offset, "the stream's size is not told after it")
    }
    return offset + 8
  }

  private static func readFrame(
    _ kind: UInt8, _ frame: [UInt8], into decoded: inout [UInt8]
  ) throws(CompressionDamage) {
    switch kind {
    case 0, 1:
      guard frame.count >= 4 else { throw CompressionDamage("a frame without a checksum") }
      let begin = decoded.count
      if kind == 0 {
        try Snappy.decode(block: frame.span.extracting(4..<frame.count), into: &decoded)
      } else {
        guard frame.count - 4 <= Snappy.largestFrame else {
          throw CompressionDamage("a frame of \(frame.count - 4) bytes")
        }
        decoded += frame[4...]
      }
      let told = (0..<4).reduce(UInt32(0)) { $0 | UInt32(frame[$1]) << UInt32(8 * $1) }
      guard CRC32C.masked(decoded[begin...]) == told else {
        throw CompressionDamage("the checksum of a frame is wrong")
      }
    case 0xFF:
      guard frame == Array("sNaPpY".utf8) else { throw CompressionDamage("no snappy stream") }
    case 0x80...0xFE: break
    default: throw CompressionDamage("a frame of unknown kind \(kind)")
    }
  }
}
