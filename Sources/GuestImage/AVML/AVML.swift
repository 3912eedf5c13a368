import Paging

/// The compressed form of AVML, version 2: ranges, each after a header of 32 bytes, until the file ends.
///
/// **Shape** as LiME's header, with magic `AVML`, version 2 and the last address inclusive; then the
/// range's bytes in snappy's framing format, then the size of that in 8 bytes. Version 1 is LiME.
///
/// **Source** AVML behaviour; snappy's "framing format" description.
enum AVML {
  static var magic: [UInt8] { [0x41, 0x56, 0x4D, 0x4C] }

  /// The compressed bytes of a range.
  private struct Range {
    var number: Int
    var chunks: SnappyFrames
    /// Where the bytes go. **Units** bytes.
    var target: Int
  }

  /// The contents, placed in the memory that is returned beside them: all ranges, decompressed.
  ///
  /// Chunk headers are added up before anything is allocated, and what a damaged chunk claims to hold
  /// is never written.
  static func read(
    _ bytes: ImageBytes
  ) throws(ImageError) -> (contents: ImageContents, memory: ImageBytes) {
    var contents = ImageContents()
    var ranges: [Range] = []
    let fileSize = UInt64(bytes.count)
    var offset: UInt64 = 0
    var target: UInt64 = 0
    while offset < fileSize {
      let number = ranges.count
      let (start, size) = try header(bytes, number, at: offset)
      offset += LiME.headerSize
      let chunks = try SnappyFrames(bytes, at: offset, holding: size, range: number)
      contents.segments.append(
        ImageSegment(number: number, gpa: start, size: size, fileOffset: target, fileSize: size))
      ranges.append(Range(number: number, chunks: chunks, target: Int(target)))
      target += size
      guard bytes.holds(offset: chunks.end, size: 8) else {
        throw .headerCutShort(
          "size after AVML range \(number)", offset: chunks.end, fileSize: fileSize)
      }
      offset = chunks.end + 8
    }
    // Overlaps and ranges past the last address, before memory is asked for.
    _ = try contents.checkedSegments(fileSize: target)
    // SAFETY: the ranges' places follow each other from 0 to `target`, the size of the memory.
    let memory = try unsafe ImageBytes(count: Int(target)) { place throws(ImageError) in
      for range in ranges {
        try unsafe range.chunks.decompress(bytes, to: place, at: range.target)
      }
    }
    return (contents, memory)
  }

  private static func header(
    _ bytes: ImageBytes, _ number: Int, at offset: UInt64
  ) throws(ImageError) -> (start: GPA, size: UInt64) {
    guard bytes.holds(offset: offset, size: LiME.headerSize),
      let magic = bytes.load(UInt32.self, at: offset),
      let version = bytes.load(UInt32.self, at: offset + 4),
      let first = bytes.load(UInt64.self, at: offset + 8),
      let last = bytes.load(UInt64.self, at: offset + 16)
    else {
      throw .headerCutShort(
        "header of AVML range \(number)", offset: offset, fileSize: UInt64(bytes.count))
    }
    guard UInt32(littleEndian: magic) == 0x4C4D_5641 else {
      throw .unsupported(
        field: "the magic of AVML range \(number) at offset \(offset)",
        value: UInt64(UInt32(littleEndian: magic)), allowed: "0x4c4d5641, 'AVML'")
    }
    guard UInt32(littleEndian: version) == 2 else {
      throw .unsupported(
        field: "the version of AVML range \(number)", value: UInt64(UInt32(littleEndian: version)),
        allowed: "2")
    }
    let start = GPA(UInt64(littleEndian: first))
    let end = GPA(UInt64(littleEndian: last))
    guard start <= end else { throw .rangeReversed(number: number, start: start, end: end) }
    let (size, overflow) = (end.rawValue - start.rawValue).addingReportingOverflow(1)
    guard !overflow else {
      throw .segmentTooLong(number: number, gpa: start, size: end.rawValue)
    }
    return (start, size)
  }
}
