/// Writes kdump files as makedumpfile lays them out.
struct KdumpBuilder {
  /// A page and how it is stored.
  struct Page {
    var frame: UInt64
    var flags: UInt32
    var stored: [UInt8]
  }

  var pages: [Page] = []
  var notes: [UInt8] = []
  var isWide = true
  /// What is written over single bytes of the headers.
  var overrides: [(offset: Int, bytes: [UInt8])] = []
  var frameLimit: UInt64 = 0x200

  static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  /// The plain file.
  var plain: [UInt8] {
    var header = [UInt8](repeating: 0, count: 4096)
    func put(_ bytes: [UInt8], at offset: Int, in block: inout [UInt8]) {
      block.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }
    let status = isWide ? 424 : 412
    put(Array("KDUMP   ".utf8) + Self.little(6, 4), at: 0, in: &header)
    put(Array((isWide ? "x86_64" : "i686").utf8), at: 12 + 260, in: &header)
    let fields: [UInt64] = [1, 4096, 1, 2, frameLimit & 0xFFFF_FFFF]
    for (index, value) in fields.enumerated() {
      put(Self.little(value, 4), at: status + index * 4, in: &header)
    }
    var sub = [UInt8](repeating: 0, count: 4096)
    put(Self.little(512 + 4096, 8), at: isWide ? 48 : 32, in: &sub)
    put(Self.little(UInt64(notes.count), isWide ? 8 : 4), at: isWide ? 56 : 40, in: &sub)
    put(Self.little(frameLimit, 8), at: isWide ? 96 : 72, in: &sub)
    put(notes, at: 512, in: &sub)
    var bitmap = [UInt8](repeating: 0, count: 4096)
    for page in pages { bitmap[Int(page.frame / 8)] |= 1 << UInt8(page.frame % 8) }
    var descriptors: [UInt8] = []
    var data: [UInt8] = []
    let sorted = pages.sorted { $0.frame < $1.frame }
    let start = 4 * 4096 + sorted.count * 24
    for page in sorted {
      descriptors += Self.little(UInt64(start + data.count), 8)
      descriptors += Self.little(UInt64(page.stored.count), 4) + Self.little(UInt64(page.flags), 4)
      descriptors += Self.little(0, 8)
      data += page.stored
    }
    var file = header + sub + bitmap + bitmap + descriptors + data
    for (offset, bytes) in overrides { put(bytes, at: offset, in: &file) }
    return file
  }

  /// The file flattened, in pieces of odd sizes, the later ones first.
  var flattened: [UInt8] {
    func big(_ value: UInt64) -> [UInt8] { Self.little(value, 8).reversed() }
    let file = plain
    var flat = Array("makedumpfile".utf8) + [0, 0, 0, 0] + big(1) + big(1)
    flat += [UInt8](repeating: 0, count: 4096 - flat.count)
    for start in stride(from: 0, to: file.count, by: 5001).reversed() {
      let piece = file[start..<min(start + 5001, file.count)]
      flat += big(UInt64(start)) + big(UInt64(piece.count)) + piece
    }
    return flat + big(.max) + big(.max)
  }

  /// A page in one snappy block of one literal.
  static func snappy(_ page: [UInt8]) -> [UInt8] { [0x80, 0x20, 61 << 2, 0xFF, 0x0F] + page }

  /// A page in one stored block of zlib.
  static func stored(_ page: [UInt8]) -> [UInt8] {
    var low = 1
    var high = 0
    for byte in page {
      low = (low + Int(byte)) % 65521
      high = (high + low) % 65521
    }
    let checksum = UInt64(high << 16 | low)
    return [0x78, 0x01, 1] + little(4096, 2) + little(0xEFFF, 2) + page
      + little(checksum, 4).reversed()
  }
}
