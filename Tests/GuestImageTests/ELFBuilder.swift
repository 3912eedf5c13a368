import GuestImage

/// Makes small ELF cores, sound or damaged.
struct ELFBuilder {
  struct Segment {
    var gpa: UInt64
    var bytes: [UInt8]
    var size: UInt64?
    var fileSize: UInt64?
    var offset: UInt64?
    var type: UInt32 = 1
  }

  var is64 = true
  var machine: UInt16 = 62
  var type: UInt16 = 4
  var segments: [Segment] = []
  /// The count in the header, where it is not that of `segments`.
  var count: UInt16?
  /// The count in section header 0, which is written where this is set.
  var sectionCount: UInt32?
  var programHeaderSize: UInt16?
  /// Bytes between the headers and the data, so that data lies at any alignment.
  var gap = 3

  var bytes: [UInt8] {
    let headerSize = is64 ? 64 : 52
    let entrySize = is64 ? 56 : 32
    let sectionSize = is64 ? 64 : 40
    let sections = sectionCount == nil ? 0 : sectionSize
    let table = headerSize + sections
    var dataOffset = UInt64(table + entrySize * segments.count + gap)
    var file: [UInt8] =
      [0x7F, 0x45, 0x4C, 0x46, is64 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
    file += Self.little(type) + Self.little(machine) + Self.little(UInt32(1))
    file += word(0) + word(UInt64(table)) + word(sectionCount == nil ? 0 : UInt64(headerSize))
    file += Self.little(UInt32(0)) + Self.little(UInt16(8))
    file += Self.little(programHeaderSize ?? UInt16(entrySize))
    file += Self.little(count ?? UInt16(segments.count))
    file += Self.little(UInt16(sectionSize)) + Self.little(UInt16(sectionCount == nil ? 0 : 1))
    file += Self.little(UInt16(0))
    if let sectionCount {
      // sh_info follows name, type, flags, address, offset, size and link.
      var section = [UInt8](repeating: 0, count: sectionSize)
      section.replaceSubrange((is64 ? 44 : 28)..<(is64 ? 48 : 32), with: Self.little(sectionCount))
      file += section
    }
    var data: [UInt8] = []
    for segment in segments {
      let offset = segment.offset ?? dataOffset
      let fileSize = segment.fileSize ?? UInt64(segment.bytes.count)
      let size = segment.size ?? fileSize
      file += Self.little(segment.type)
      if is64 { file += Self.little(UInt32(0)) }
      file += word(offset) + word(0) + word(segment.gpa) + word(fileSize) + word(size)
      if !is64 { file += Self.little(UInt32(0)) }
      file += word(0)
      data += segment.bytes
      dataOffset += UInt64(segment.bytes.count)
    }
    return file + [UInt8](repeating: 0xEE, count: gap) + data
  }

  private func word(_ value: UInt64) -> [UInt8] {
    is64 ? Self.little(value) : Self.little(UInt32(truncatingIfNeeded: value))
  }

  static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> Value($0 * 8)) }
  }

  /// One range of a LiME capture.
  static func lime(
    _ first: UInt64, _ last: UInt64, _ bytes: [UInt8], version: UInt32 = 1
  ) -> [UInt8] {
    Array("EMiL".utf8) + little(version) + little(first) + little(last) + little(UInt64(0)) + bytes
  }
}

extension GuestImage {
  convenience init(
    _ bytes: [UInt8], as format: ImageFormat? = nil
  ) throws(ImageError) {
    try self.init(copying: bytes, as: format)
  }
}
