import Paging

/// The LiME format: ranges, each after a header of 32 bytes, until the file ends.
///
/// **Shape** magic `EMiL`, version 1 (4 B each), first and last address (8 B each), 8 B reserved; then
/// the bytes. **Source** LiME's own description, "LiME Memory Range Header Version 1".
enum LiME {
  static var magic: [UInt8] { [0x45, 0x4D, 0x69, 0x4C] }
  static var headerSize: UInt64 { 32 }

  static func read(_ bytes: ImageBytes) throws(ImageError) -> ImageContents {
    var contents = ImageContents()
    let fileSize = UInt64(bytes.count)
    var offset: UInt64 = 0
    var number = 0
    while offset < fileSize {
      guard bytes.holds(offset: offset, size: headerSize),
        let magic = bytes.load(UInt32.self, at: offset),
        let version = bytes.load(UInt32.self, at: offset + 4),
        let first = bytes.load(UInt64.self, at: offset + 8),
        let last = bytes.load(UInt64.self, at: offset + 16)
      else {
        throw .headerCutShort("header of LiME range \(number)", offset: offset, fileSize: fileSize)
      }
      guard UInt32(littleEndian: magic) == 0x4C69_4D45 else {
        throw .unsupported(
          field: "the magic of LiME range \(number) at offset \(offset)",
          value: UInt64(UInt32(littleEndian: magic)), allowed: "0x4c694d45, 'EMiL'")
      }
      guard UInt32(littleEndian: version) == 1 else {
        throw .unsupported(
          field: "the version of LiME range \(number)",
          value: UInt64(UInt32(littleEndian: version)), allowed: "1")
      }
      let start = GPA(UInt64(littleEndian: first))
      let end = GPA(UInt64(littleEndian: last))
      guard start <= end else { throw .rangeReversed(number: number, start: start, end: end) }
      let (size, overflow) = (end.rawValue - start.rawValue).addingReportingOverflow(1)
      guard !overflow else {
        throw .segmentTooLong(number: number, gpa: start, size: end.rawValue)
      }
      offset += headerSize
      guard bytes.holds(offset: offset, size: size) else {
        throw .segmentCutShort(
          number: number, gpa: start, offset: offset, size: size, fileSize: fileSize)
      }
      contents.segments.append(
        ImageSegment(number: number, gpa: start, size: size, fileOffset: offset, fileSize: size))
      offset += size
      number += 1
    }
    return contents
  }
}
