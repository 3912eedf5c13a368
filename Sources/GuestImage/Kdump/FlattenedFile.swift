import Paging

/// makedumpfile's flattened form, which QEMU writes where it cannot seek: pieces of a file, each after
/// the place where it belongs.
///
/// **Shape** a header of 4096 bytes that begins `makedumpfile`, type 1, version 1; then records, each an
/// offset and a size (8 B each, big-endian) and as many bytes; at the end a record of offset and size
/// -1. **Source** makedumpfile's manual page, "-F"; QEMU's behaviour.
enum FlattenedFile {
  static var magic: [UInt8] { Array("makedumpfile".utf8) + [0, 0, 0, 0] }
  private static var headerSize: UInt64 { 4096 }
  /// What the pieces may leave between them. **Units** bytes.
  private static var mostGaps: UInt64 { 16 << 20 }

  /// The file as it would be if it had not been flattened.
  static func restored(_ bytes: ImageBytes) throws(ImageError) -> ImageBytes {
    for (field, offset) in [("type", 16), ("version", 24)] as [(String, UInt64)] {
      let value = try number(bytes, at: offset)
      guard value == 1 else {
        throw .unsupported(field: "the \(field) of the flattened file", value: value, allowed: "1")
      }
    }
    let pieces = try pieces(of: bytes)
    let end = pieces.reduce(UInt64(0)) { max($0, $1.place + $1.size) }
    return unsafe try ImageBytes(count: Int(end)) { (target) throws(ImageError) in
      for piece in pieces {
        let part = bytes.copy(offset: piece.offset, count: Int(piece.size))
        // SAFETY: the target has `end` bytes, and no piece ends later.
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[Int(piece.place)...])
          .copyBytes(from: part)
      }
    }
  }

  private static func pieces(
    of bytes: ImageBytes
  ) throws(ImageError) -> [(place: UInt64, offset: UInt64, size: UInt64)] {
    let fileSize = UInt64(bytes.count)
    var pieces: [(place: UInt64, offset: UInt64, size: UInt64)] = []
    var offset = headerSize
    while true {
      let place = try number(bytes, at: offset)
      let size = try number(bytes, at: offset + 8)
      if place == .max { break }
      guard bytes.holds(offset: offset + 16, size: size) else {
        throw .segmentCutShort(
          number: pieces.count, gpa: GPA(place), offset: offset + 16, size: size,
          fileSize: fileSize)
      }
      guard place <= fileSize + mostGaps - size else {
        throw .unsupported(
          field: "the place of piece \(pieces.count) of the flattened file", value: place,
          allowed: "at most \(fileSize + mostGaps - size)")
      }
      pieces.append((place, offset + 16, size))
      offset += 16 + size
    }
    return pieces
  }

  private static func number(_ bytes: ImageBytes, at offset: UInt64) throws(ImageError) -> UInt64 {
    guard let value = bytes.load(UInt64.self, at: offset) else {
      throw .headerCutShort(
        "flattened file, which has no end record", offset: offset, fileSize: UInt64(bytes.count))
    }
    return UInt64(bigEndian: value)
  }
}
