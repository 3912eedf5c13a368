import Paging

/// kdump-compressed files, as makedumpfile and QEMU's `dump-guest-memory -z`, `-l` and `-s` write them.
///
/// **Shape** blocks of 4096 bytes: a header, a sub-header, the vCPUs' notes; two bitmaps, of the frames
/// that there are and of those that were written; for each written frame a descriptor (offset 8 B,
/// size 4 B, flags 4 B, page flags 8 B); the pages, each compressed by itself. The memory is decoded
/// when the file is opened, so it must fit in memory; frames of zeros take none. **Source** makedumpfile's
/// "IMPLEMENTATION" file; QEMU's behaviour.
enum Kdump {
  static var magic: [UInt8] { Array("KDUMP   ".utf8) }
  private static var descriptorSize: UInt64 { 24 }
  private static var pageSize: Int { Int(KdumpHeader.blockSize) }

  /// How a page is stored.
  private enum Flag {
    static var compression: UInt32 { 0x7F }
    static var zlib: UInt32 { 1 }
    static var lzo: UInt32 { 2 }
    static var snappy: UInt32 { 4 }
  }

  /// The memory, decoded, and where it lies in it; the file may be flattened.
  static func read(
    _ bytes: ImageBytes
  ) throws(ImageError) -> (ImageContents, decoded: ImageBytes) {
    if bytes.starts(with: FlattenedFile.magic) {
      let restored = try FlattenedFile.restored(bytes)
      guard restored.starts(with: magic) else {
        throw .unsupported(
          field: "the magic of the flattened file's contents",
          value: restored.load(UInt64.self, at: 0).map(UInt64.init(littleEndian:)) ?? 0,
          allowed: "'KDUMP   '")
      }
      return try readPlain(restored)
    }
    return try readPlain(bytes)
  }

  private static func readPlain(
    _ bytes: ImageBytes
  ) throws(ImageError) -> (ImageContents, decoded: ImageBytes) {
    let header = try KdumpHeader(bytes)
    var contents = ImageContents()
    contents.machine = header.machine
    if header.notes.size > 0 {
      try ELFCore.readNotes(
        in: bytes, from: header.notes.offset, size: header.notes.size, into: &contents.vCPUs)
    }
    let (runs, count) = writtenFrames(bytes, header)
    guard count > 0 else { throw .noSegments }
    let (size, overflow) = count.multipliedReportingOverflow(by: descriptorSize)
    guard !overflow, bytes.holds(offset: header.descriptors, size: size) else {
      throw .headerCutShort(
        "table of \(count) page descriptors", offset: header.descriptors,
        fileSize: UInt64(bytes.count))
    }
    var place: UInt64 = 0
    for (number, run) in runs.enumerated() {
      let size = UInt64(run.count) * KdumpHeader.blockSize
      contents.segments.append(
        ImageSegment(
          number: number, gpa: GPA(run.lowerBound * KdumpHeader.blockSize), size: size,
          fileOffset: place, fileSize: size))
      place += size
    }
    let decoded = unsafe try ImageBytes(count: Int(place)) { (target) throws(ImageError) in
      var page: [UInt8] = []
      // QEMU writes the page of zeros once; all frames of zeros share it.
      var zeros: UInt64?
      for (index, frame) in runs.joined().enumerated() {
        let descriptor = header.descriptors + UInt64(index) * descriptorSize
        let offset = bytes.load(UInt64.self, at: descriptor).map(UInt64.init(littleEndian:))
        if let offset, offset == zeros { continue }
        page.removeAll(keepingCapacity: true)
        try readPage(bytes, at: descriptor, frame: frame, into: &page)
        if page.allSatisfy({ $0 == 0 }) {
          zeros = offset
          continue
        }
        // SAFETY: the target has a page for each index, and `readPage` gives exactly a page.
        unsafe UnsafeMutableRawBufferPointer(rebasing: target[(index * pageSize)...])
          .copyBytes(from: page)
      }
    }
    return (contents, decoded)
  }

  /// The runs of frames whose bit is set in the second bitmap, and how many frames they have.
  private static func writtenFrames(
    _ bytes: ImageBytes, _ header: KdumpHeader
  ) -> (runs: [Range<UInt64>], count: UInt64) {
    var runs: [Range<UInt64>] = []
    var count: UInt64 = 0
    let start = header.bitmap + header.bitmapSize / 2
    for byteIndex in 0..<(header.frameLimit + 7) / 8 {
      guard let byte = bytes.load(UInt8.self, at: start + byteIndex), byte != 0 else { continue }
      for bit in 0..<UInt64(8) where byte >> bit & 1 == 1 {
        let frame = byteIndex * 8 + bit
        if frame >= header.frameLimit { break }
        count += 1
        if let last = runs.last, last.upperBound == frame {
          runs[runs.count - 1] = last.lowerBound..<frame + 1
        } else {
          runs.append(frame..<frame + 1)
        }
      }
    }
    return (runs, count)
  }

  /// One page; always `pageSize` bytes.
  private static func readPage(
    _ bytes: ImageBytes, at descriptor: UInt64, frame: UInt64, into page: inout [UInt8]
  ) throws(ImageError) {
    guard let offset = bytes.load(UInt64.self, at: descriptor).map(UInt64.init(littleEndian:)),
      let size = bytes.load(UInt32.self, at: descriptor + 8).map(UInt32.init(littleEndian:)),
      let flags = bytes.load(UInt32.self, at: descriptor + 12).map(UInt32.init(littleEndian:))
    else {
      throw .headerCutShort(
        "descriptor of frame \(frame)", offset: descriptor, fileSize: UInt64(bytes.count))
    }
    func damaged(_ words: String) -> ImageError {
      .pageDamaged(gpa: GPA(frame * KdumpHeader.blockSize), offset: offset, words)
    }
    // What cannot be compressed grows a little.
    guard size <= UInt32(2 * pageSize), bytes.holds(offset: offset, size: UInt64(size)) else {
      throw damaged("\(size) bytes (at most \(2 * pageSize), and in the file)")
    }
    let stored = bytes.copy(offset: offset, count: Int(size))
    do throws(CompressionDamage) {
      switch flags & Flag.compression {
      case 0: page += stored
      case Flag.zlib: try Zlib.decode(stored, into: &page, most: pageSize)
      case Flag.snappy: try Snappy.decode(block: stored.span, into: &page)
      case Flag.lzo: try LZO.decode(stored, into: &page, most: pageSize)
      default:
        throw CompressionDamage(
          "a compression that is not known (flags \(flags): zlib 1, lzo 2, snappy 4)")
      }
      guard page.count == pageSize else { throw CompressionDamage("a page of \(page.count) bytes") }
    } catch {
      throw damaged(error.words)
    }
  }
}
