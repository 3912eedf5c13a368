import GuestImage
import Paging
import Testing

@Suite("ELF cores")
struct ELFCoreTests {
  private static let page = (0..<64).map { UInt8($0) }

  @Test("segments of either class are placed by physical address", arguments: [true, false])
  func segmentsArePlaced(is64: Bool) throws {
    let image = try GuestImage(
      ELFBuilder(
        is64: is64,
        segments: [.init(gpa: 0x5000, bytes: Self.page), .init(gpa: 0x1000, bytes: [9, 8, 7, 6])]
      ).bytes)
    #expect(image.segments.map(\.gpa) == [GPA(0x1000), GPA(0x5000)])
    #expect(image.segments.map(\.number) == [1, 0])
    #expect(image.load(GPA(0x1000), as: UInt32.self) == .success(0x0607_0809))
    #expect(image.load(GPA(0x5008), as: UInt64.self) == .success(0x0F0E_0D0C_0B0A_0908))
    #expect(image.load(GPA(0x5039), as: UInt64.self) == .failure(ImageHole(GPA(0x5040))))
    #expect(image.load(GPA(0x4FFF), as: UInt64.self) == .failure(ImageHole(GPA(0x4FFF))))
    #expect(image.load(GPA(~0), as: UInt64.self) == .failure(ImageHole(GPA(~0))))
  }

  @Test("memory past a segment's bytes in the file reads as zeros, across the border too")
  func tailIsZero() throws {
    let image = try GuestImage(
      ELFBuilder(segments: [.init(gpa: 0, bytes: [1, 2, 3, 4], size: 0x2000)]).bytes)
    #expect(image.load(GPA(0), as: UInt64.self) == .success(0x0403_0201))
    #expect(image.load(GPA(0x1FF8), as: UInt64.self) == .success(0))
    #expect(image.read(GPA(2), count: 4) == .success([3, 4, 0, 0]))
    #expect(image.read(GPA(0x1FFF), count: 2) == .failure(ImageHole(GPA(0x2000))))
  }

  @Test("reads and entries run across segments that touch")
  func touchingSegmentsAreOne() throws {
    let image = try GuestImage(
      ELFBuilder(segments: [
        .init(gpa: 4, bytes: [5, 6, 7, 8]), .init(gpa: 0, bytes: [1, 2, 3, 4]),
      ])
      .bytes)
    #expect(image.load(GPA(0), as: UInt64.self) == .success(0x0807_0605_0403_0201))
    #expect(image.read(GPA(1), count: 6) == .success([2, 3, 4, 5, 6, 7]))
  }

  @Test("W11 an entry that is held is read-only, one that is not is a hole")
  func imageIsReadOnly() throws {
    let image = try GuestImage(ELFBuilder(segments: [.init(gpa: 0, bytes: Self.page)]).bytes)
    #expect(
      image.compareExchange(GPA(8), expected: UInt64(1), desired: 2) == .success(.readOnly))
    #expect(
      image.compareExchange(GPA(64), expected: UInt64(1), desired: 2)
        == .failure(ImageHole(GPA(64))))
  }

  @Test("more program headers than 16 bits count are counted by section header 0")
  func extendedCount() throws {
    var elf = ELFBuilder(count: 0xFFFF)
    elf.segments = (0..<70_000).map { .init(gpa: UInt64($0) * 2, bytes: [UInt8($0 & 0xFF)]) }
    elf.sectionCount = 70_000
    let image = try GuestImage(elf.bytes)
    #expect(image.segments.count == 70_000)
    #expect(image.byte(at: GPA(139_998)) == UInt8(69_999 & 0xFF))
    #expect(image.byte(at: GPA(139_997)) == nil)
  }

  @Test("every address of many scattered segments is found, and none between them")
  func lookUpIsExact() throws {
    var elf = ELFBuilder()
    var gpa: UInt64 = 0x10
    var held: [UInt64: UInt8] = [:]
    for index in 0..<500 {
      let size = 1 + index % 7
      elf.segments.append(
        .init(gpa: gpa, bytes: [UInt8](repeating: UInt8(index & 0xFF), count: size)))
      for offset in 0..<UInt64(size) { held[gpa + offset] = UInt8(index & 0xFF) }
      gpa += UInt64(size) + (index % 50 == 49 ? 0x12_3456_7000 : UInt64(index % 3))
    }
    elf.segments.reverse()
    let image = try GuestImage(elf.bytes)
    for (address, value) in held {
      #expect(image.byte(at: GPA(address)) == value)
      for neighbour in [address &- 1, address &+ 1] {
        #expect(image.byte(at: GPA(neighbour)) == held[neighbour])
      }
    }
  }

  @Test("damage is one clear error that names the segment or the field")
  func damageIsNamed() {
    func refusal(_ bytes: [UInt8]) -> ImageError? {
      do {
        _ = try GuestImage(bytes)
        return nil
      } catch { return error }
    }
    let sound = ELFBuilder(segments: [.init(gpa: 0, bytes: Self.page)]).bytes
    #expect(refusal([]) == .empty)
    for count in 4..<64 {
      let description = refusal(Array(sound.prefix(count)))?.description ?? "none"
      #expect(description.contains("ends inside the ELF header"))
    }
    func patched(_ offset: Int, _ value: UInt8) -> [UInt8] {
      var bytes = sound
      bytes[offset] = value
      return bytes
    }
    #expect(refusal(patched(4, 3))?.description.contains("ELF class is 3") == true)
    #expect(refusal(patched(5, 2))?.description.contains("data encoding is 2") == true)
    #expect(refusal(patched(6, 0))?.description.contains("ELF version is 0") == true)
    #expect(refusal(patched(16, 2))?.description.contains("ELF type is 2 (4, a core)") == true)
    #expect(
      refusal(ELFBuilder(segments: [.init(gpa: 0, bytes: [1])], programHeaderSize: 55).bytes)?
        .description.contains("size of a program header is 55 (56)") == true)
    #expect(refusal(ELFBuilder().bytes) == .noSegments)
    #expect(
      refusal(Array(sound.dropLast()))
        == .segmentCutShort(number: 0, gpa: GPA(0), offset: 123, size: 64, fileSize: 186))
    #expect(
      refusal(
        ELFBuilder(segments: [
          .init(gpa: 0x1000, bytes: Self.page), .init(gpa: 0x103F, bytes: Self.page),
        ]).bytes) == .segmentsOverlap(first: 0, second: 1, gpa: GPA(0x103F)))
    #expect(
      refusal(ELFBuilder(segments: [.init(gpa: ~0 - 2, bytes: Self.page)]).bytes)
        == .segmentTooLong(number: 0, gpa: GPA(~0 - 2), size: 64))
    #expect(
      refusal(ELFBuilder(segments: [.init(gpa: 0, bytes: Self.page, size: 63)]).bytes)
        == .segmentOverfull(number: 0, gpa: GPA(0), fileSize: 64, size: 63))
    for offset in [~0, ~0 - 63, 1 << 63] as [UInt64] {
      let error = refusal(
        ELFBuilder(segments: [.init(gpa: 0, bytes: Self.page, offset: offset)]).bytes)
      #expect(error?.description.contains("segment 0 (GPA 0x0) is cut short") == true)
    }
  }

  @Test("absurd counts of program headers are refused without reading them")
  func absurdCountsAreRefused() {
    let one = [ELFBuilder.Segment(gpa: 0, bytes: [1])]
    for elf in [
      ELFBuilder(segments: one, count: 0xFFFE),
      ELFBuilder(segments: one, count: 0xFFFF, sectionCount: 0xFFFF_FFFF),
      ELFBuilder(is64: false, segments: one, count: 0xFFFF, sectionCount: 0xFFFF_FFFF),
    ] {
      #expect(throws: ImageError.self) { try GuestImage(elf.bytes) }
    }
    let unsaid = ELFBuilder(segments: one, count: 0xFFFF).bytes
    #expect {
      try GuestImage(unsaid)
    } throws: { "\($0)".contains("counts the program headers") }
  }

  @Test("a vCPU note of another version, or one that runs past its segment, is refused")
  func notesAreChecked() throws {
    func note(version: UInt32, size: Int, claimed: UInt32? = nil) -> [UInt8] {
      ELFBuilder.little(UInt32(5)) + ELFBuilder.little(claimed ?? UInt32(size))
        + ELFBuilder.little(UInt32(0)) + Array("QEMU\0\0\0\0".utf8)
        + ELFBuilder.little(version) + ELFBuilder.little(UInt32(size))
        + [UInt8](repeating: 0x11, count: max(size - 8, 0))
    }
    func image(_ notes: [UInt8]) throws -> GuestImage {
      try GuestImage(
        ELFBuilder(segments: [.init(gpa: 0, bytes: notes, type: 4), .init(gpa: 0, bytes: [1])])
          .bytes)
    }
    let sound = try image(note(version: 1, size: 440) + note(version: 1, size: 440))
    #expect(sound.vCPUs.count == 2)
    #expect(sound.vCPUs.first?.cr3 == 0x1111_1111_1111_1111)
    #expect(throws: ImageError.noteUnsupported(cpu: 0, version: 2, size: 440)) {
      try image(note(version: 2, size: 440))
    }
    #expect(throws: ImageError.noteUnsupported(cpu: 0, version: 1, size: 64)) {
      try image(note(version: 1, size: 64))
    }
    #expect(throws: ImageError.self) {
      try image(note(version: 1, size: 440, claimed: 0xFFFF_FFFF))
    }
  }
}
