import GuestImage
import Paging
import TestSupport
import Testing

@Suite("AVML captures")
struct AVMLTests {
  private static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
  }

  /// A checksum written the slow way.
  private static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var value = ~0 as UInt32
    for byte in bytes {
      value ^= UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0x82F6_3B78 : value >> 1 }
    }
    value = ~value
    return (value >> 15 | value << 17) &+ 0xA282_EAD8
  }

  private static func chunk(_ kind: UInt8, _ body: [UInt8]) -> [UInt8] {
    [kind] + little(UInt64(body.count), 3) + body
  }

  /// A compressed chunk: runs of one byte as copies, all else as literals.
  private static func compressed(_ bytes: [UInt8]) -> [UInt8] {
    var body = little(UInt64(checksum(bytes)), 4)
    var length = bytes.count
    while length >= 0x80 {
      body.append(UInt8(length & 0x7F) | 0x80)
      length >>= 7
    }
    body.append(UInt8(length))
    var index = 0
    while index < bytes.count {
      let run = bytes[index...].prefix { $0 == bytes[index] }.count
      var left = run - 1
      body += [0, bytes[index]]
      while left > 0 {
        let count = min(left, 64)
        // The three forms of a copy, all of distance 1.
        switch count {
        case 4...11: body += [UInt8((count - 4) << 2 | 1), 1]
        case 64: body += [UInt8((count - 1) << 2 | 3), 1, 0, 0, 0]
        default: body += [UInt8((count - 1) << 2 | 2), 1, 0]
        }
        left -= count
      }
      index += run
    }
    return chunk(0, body)
  }

  private static func range(_ first: UInt64, _ last: UInt64, _ chunks: [[UInt8]]) -> [UInt8] {
    let stream = Array(chunks.joined())
    return Array("AVML".utf8) + little(2, 4) + little(first, 8) + little(last, 8) + little(0, 8)
      + stream + little(UInt64(stream.count), 8)
  }

  private static let identifier = chunk(0xFF, Array("sNaPpY".utf8))
  /// Runs of all lengths, and no run at all.
  private static let page: [UInt8] = (0..<4096).map { UInt8(truncatingIfNeeded: $0 * $0 >> 9) }
  private static let zeros = [UInt8](repeating: 0, count: 65536)
  private static let plain: [UInt8] = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 167) }

  private static let file =
    range(
      0x1000, 0x12FFF,
      [
        identifier, compressed(page), chunk(0xFE, [1, 2, 3]), compressed(zeros),
        chunk(1, little(UInt64(checksum(plain)), 4) + plain),
      ])
    + range(0x1_0000_0000, 0x1_0000_0FFF, [identifier, compressed(plain)])

  @Test("ranges are decompressed, each at its place")
  func reads() throws {
    let image = try GuestImage(copying: Self.file)
    #expect(image.format == .avml)
    #expect(image.segments.map(\.gpa) == [GPA(0x1000), GPA(0x1_0000_0000)])
    #expect(image.segments.map(\.size) == [0x12000, 0x1000])
    #expect(try image.read(GPA(0x1000), count: 4096).get() == Self.page)
    #expect(try image.read(GPA(0x2000), count: 65536).get() == Self.zeros)
    #expect(try image.read(GPA(0x12000), count: 4096).get() == Self.plain)
    #expect(try image.read(GPA(0x1_0000_0000), count: 4096).get() == Self.plain)
    #expect(image.byte(at: GPA(0x13000)) == nil)
  }

  @Test("a capture cut anywhere is refused")
  func cutShort() {
    let ends = Set(0..<Self.file.count).filter {
      $0 < 300 || $0 % 97 == 0 || $0 > Self.file.count - 40
    }
    // Where the first range ends a whole capture ends.
    let first =
      Self.file.count - Self.range(0, 0xFFF, [Self.identifier, Self.compressed(Self.plain)]).count
    for end in ends where end != first && end >= 4 {
      #expect(throws: ImageError.self, "\(end)") {
        try GuestImage(copying: Array(Self.file[..<end]))
      }
    }
  }

  @Test("damage of one bit is an error or changes an address, never memory")
  func damage() {
    var random = SeededGenerator(seed: 1)
    var refused = 0
    for _ in 0..<600 {
      var bytes = Self.file
      let place = random.below(bytes.count)
      bytes[place] ^= 1 << UInt8(random.below(8))
      guard bytes.starts(with: Array("AVML".utf8)) else { continue }
      guard let image = try? GuestImage(copying: bytes) else {
        refused += 1
        continue
      }
      // The sizes after the ranges, headers' reserved words, skipped chunks and places are not checked.
      let segment = image.segments.map(\.size)
      #expect(segment == [0x12000, 0x1000] || segment == [0x1000, 0x12000])
      for segment in image.segments {
        let found = try? image.read(segment.gpa, count: 4096).get()
        #expect(found == (segment.size == 0x12000 ? Self.page : Self.plain), "byte \(place)")
      }
    }
    #expect(refused > 450)
  }

  @Test(
    "elements that read or write outside the block are refused",
    arguments: [
      [0x00, 7, 0x02, 2, 0], [0x00, 7, 0x02, 0, 0], [0x02, 1, 0],
      [0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 7],
      [0x10, 1, 2], [0x00, 7, 0xFE, 1, 0], [0x00, 7], [], [0xF4], [0x01], [0x03, 1, 0, 0],
    ] as [[UInt8]])
  func hostileElements(elements: [UInt8]) {
    // A block of 16 bytes, in a range of as many.
    let body = Self.little(0, 4) + [16] + elements
    let error = #expect(throws: ImageError.self) {
      try GuestImage(copying: Self.range(0, 15, [Self.identifier, Self.chunk(0, body)]))
    }
    // Refused for the elements, not for the checksum.
    #expect(error?.description.hasSuffix("a chunk's data are damaged") == true)
  }

  @Test("what a chunk claims to hold is not allocated before it is there")
  func claims() {
    let claim = Self.chunk(0, Self.little(0, 4) + [0x80, 0x80, 0x04])
    let huge = Self.range(0, ~0 - 1, Array(repeating: claim, count: 1000))
    #expect(throws: ImageError.self) { try GuestImage(copying: huge) }
    let many = Self.range(0, 65536 * 1000 - 1, Array(repeating: claim, count: 1000))
    #expect(throws: ImageError.self) { try GuestImage(copying: many) }
    let long = Self.chunk(0, Self.little(0, 4) + [0xFF, 0xFF, 0xFF, 0xFF, 0x7F])
    #expect(throws: ImageError.self) { try GuestImage(copying: Self.range(0, 0xFFF, [long])) }
  }
}
