import GuestImage
import Paging
import TestSupport
import Testing

@Suite("kdump-compressed files")
struct KdumpTests {
  private static let zlib: UInt32 = 1
  private static let lzo: UInt32 = 2
  private static let snappy: UInt32 = 4

  private static func page(_ seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return (0..<4096).map { _ in .random(in: 0...255, using: &generator) }
  }

  /// Frames 1 to 5 and 0x100, each stored in another way.
  static func builder(isWide: Bool = true) -> KdumpBuilder {
    var builder = KdumpBuilder()
    builder.isWide = isWide
    builder.pages = [
      .init(frame: 1, flags: 0, stored: page(1)),
      .init(frame: 2, flags: zlib, stored: KdumpBuilder.stored(page(2))),
      .init(frame: 3, flags: zlib, stored: CompressedPage.dynamic),
      .init(frame: 4, flags: snappy, stored: KdumpBuilder.snappy(page(4))),
      .init(frame: 5, flags: 0, stored: [UInt8](repeating: 0, count: 4096)),
      .init(frame: 0x100, flags: zlib, stored: CompressedPage.repeated),
    ]
    return builder
  }

  private func expect(_ image: GuestImage) throws {
    #expect(image.format == .kdump)
    #expect(image.segments.map(\.gpa) == [GPA(0x1000), GPA(0x10_0000)])
    #expect(image.segments.map(\.size) == [0x5000, 0x1000])
    #expect(try image.read(GPA(0x1000), count: 4096).get() == Self.page(1))
    #expect(try image.read(GPA(0x2000), count: 4096).get() == Self.page(2))
    #expect(try image.read(GPA(0x3000), count: 4096).get() == CompressedPage.pattern)
    #expect(try image.read(GPA(0x4000), count: 4096).get() == Self.page(4))
    #expect(
      try image.read(GPA(0x5000), count: 4096).get() == [UInt8](repeating: 0, count: 4096))
    #expect(try image.read(GPA(0x10_0000), count: 4096).get() == Array(CompressedPage.sentence))
    #expect(!image.holds(GPA(0x6000)))
  }

  @Test(
    "plain and flattened files, of both widths, hold the same memory", arguments: [true, false])
  func bothForms(isWide: Bool) throws {
    let builder = Self.builder(isWide: isWide)
    let plain = try GuestImage(copying: builder.plain)
    try expect(plain)
    #expect(plain.machine == (isWide ? 62 : 3))
    try expect(GuestImage(copying: builder.flattened))
  }

  @Test(
    "LZO streams are decoded by every kind of their codes",
    arguments: [
      ([21] + Array("abcd".utf8), "abcd"),
      // A copy of two from two back, after two literals.
      ([19] + Array("ab".utf8) + [0b0000_0100, 0], "abab"),
      // A copy of four from two back, then a literal.
      ([22] + Array("abcde".utf8) + [0b0110_0101, 0] + Array("x".utf8), "abcdededex"),
      // A copy of eight from five back, then a run of four literals.
      ([22] + Array("abcde".utf8) + [0b1111_0000, 0, 1] + Array("wxyz".utf8), "abcdeabcdeabcwxyz"),
      // A copy of five from three back.
      ([22] + Array("abcde".utf8) + [0x23, 2 << 2, 0], "abcdecdecd"),
    ] as [([UInt8], String)])
  func lzoStarts(start: [UInt8], text: String) throws {
    // A copy from just before fills the page: 001LLLLL with a length that goes on.
    let begun = Array(text.utf8)
    let left = 4096 - begun.count
    var rest = left - 33
    var stream = start + [0x20]
    while rest > 255 {
      stream.append(0)
      rest -= 255
    }
    stream += [UInt8(rest), 0, 0] + [0x11, 0, 0]
    var builder = KdumpBuilder()
    builder.pages = [.init(frame: 1, flags: Self.lzo, stored: stream)]
    let image = try GuestImage(copying: builder.plain)
    let last = try #require(begun.last)
    #expect(
      try image.read(GPA(0x1000), count: 4096).get()
        == begun + [UInt8](repeating: last, count: left))
  }

  @Test("damaged pages are named with their address and what is wrong")
  func damagedPages() throws {
    func message(_ flags: UInt32, _ stored: [UInt8]) -> String {
      var builder = KdumpBuilder()
      builder.pages = [.init(frame: 7, flags: flags, stored: stored)]
      do {
        _ = try GuestImage(copying: builder.plain)
        return "opened"
      } catch { return error.description }
    }
    var badSum = KdumpBuilder.stored(Self.page(9))
    badSum[badSum.count - 1] ^= 1
    #expect(
      message(Self.zlib, badSum)
        == "the page of GPA 0x7000 is damaged at offset 0x4018: the checksum of a stream is wrong")
    let cases: [(UInt32, [UInt8], String)] = [
      (Self.zlib, Array(CompressedPage.dynamic.dropLast(40)), "ends early"),
      (Self.zlib, [1, 2, 3, 4, 5, 6, 7], "no zlib stream"),
      (Self.zlib, [0x78, 0x01, 0x07, 0, 0, 0], "unknown kind"),
      (Self.snappy, [0x80, 0x20, 1], "block"), (Self.lzo, [0x20], "ends early"),
      (Self.lzo, [0x11, 0, 0], "a page of 0 bytes"), (0, [1, 2, 3], "a page of 3 bytes"),
      (32, Self.page(1), "not known (flags 32"),
    ]
    for (flags, stored, words) in cases {
      #expect(message(flags, stored).contains(words), "\(flags): \(message(flags, stored))")
    }
  }

  @Test("a file that is cut short anywhere is refused", arguments: [true, false])
  func truncation(isFlat: Bool) throws {
    let whole = isFlat ? Self.builder().flattened : Self.builder().plain
    for length in [16, 100, 4096, 4100, 8192, 12288, 16384, 16400, whole.count - 1] {
      #expect(throws: ImageError.self, "\(length)") {
        try GuestImage(copying: Array(whole[..<length]))
      }
    }
  }

  @Test("hostile headers are refused in a line")
  func hostileHeaders() throws {
    let cases: [(Int, [UInt8], String)] = [
      (12 + 260, Array("sparc6".utf8), "the machine of the kdump header"),
      (428, KdumpBuilder.little(64, 4), "block size"),
      (432, [0xFF, 0xFF, 0xFF, 0xFF], "kdump bitmap"),
      (436, [0xFF, 0xFF, 0xFF, 0xFF], "kdump bitmap"),
      (4096 + 12, [1], "split"), (4096 + 48, KdumpBuilder.little(~0 >> 1, 8), "kdump notes"),
      (4096 + 96, KdumpBuilder.little(~0, 8), "number of frames"),
      (8192 + 4096, [UInt8](repeating: 0xFF, count: 4096), "32768 page descriptors"),
    ]
    for (offset, bytes, words) in cases {
      var builder = Self.builder()
      builder.notes = [0, 0, 0, 0]
      builder.frameLimit = 0x8000
      builder.overrides = [(offset, bytes)]
      do {
        _ = try GuestImage(copying: builder.plain)
        Issue.record("opened with \(words)")
      } catch {
        #expect(error.description.contains(words), "\(error)")
      }
    }
    var flat = Self.builder().flattened
    flat[4096] = 0x7F
    #expect(throws: ImageError.self) { try GuestImage(copying: flat) }
  }
}
