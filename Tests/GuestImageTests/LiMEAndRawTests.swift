import GuestImage
import Paging
import SystemPackage
import Testing

@Suite("LiME and raw images")
struct LiMEAndRawTests {
  @Test("LiME ranges end inclusively")
  func rangesAreInclusive() throws {
    let image = try GuestImage(
      ELFBuilder.lime(0x1000, 0x1003, [1, 2, 3, 4]) + ELFBuilder.lime(0x10, 0x10, [9]))
    #expect(image.format == .lime)
    #expect(image.segments.map(\.size) == [1, 4])
    #expect(image.load(GPA(0x1000), as: UInt32.self) == .success(0x0403_0201))
    #expect(image.byte(at: GPA(0x10)) == 9)
    #expect(image.byte(at: GPA(0x11)) == nil)
  }

  @Test("damaged LiME captures are named errors")
  func damageIsNamed() {
    func description(_ bytes: [UInt8]) -> String {
      do {
        _ = try GuestImage(bytes)
        return "none"
      } catch { return error.description }
    }
    let sound = ELFBuilder.lime(0, 3, [1, 2, 3, 4])
    #expect(description(Array(sound.prefix(20))).contains("header of LiME range 0"))
    #expect(description(Array(sound.dropLast())).contains("segment 0 (GPA 0x0) is cut short"))
    #expect(description(sound + [0]).contains("header of LiME range 1"))
    #expect(description(ELFBuilder.lime(4, 3, [])).contains("before its start"))
    #expect(description(ELFBuilder.lime(0, ~0, [])).contains("passes the last address"))
    #expect(description(ELFBuilder.lime(0, ~0 - 1, [])).contains("is cut short"))
    #expect(description(ELFBuilder.lime(0, 0, [1], version: 2)).contains("is 2 (1)"))
    #expect(description(sound + sound).contains("overlap at GPA 0x0"))
    #expect(
      description(sound + [UInt8](repeating: 0x41, count: 32)).contains("magic of LiME range 1"))
  }

  @Test("bytes without a magic are raw, at the base that is said")
  func rawIsPlacedAtItsBase() throws {
    #expect(try GuestImage([7]).segments.first?.gpa == GPA(0))
    let image = try GuestImage([1, 2, 3, 4], as: .raw(base: GPA(0x8000)))
    #expect(image.load(GPA(0x8000), as: UInt32.self) == .success(0x0403_0201))
    #expect(image.byte(at: GPA(0)) == nil)
    #expect(throws: ImageError.segmentTooLong(number: 0, gpa: GPA(~0), size: 1)) {
      try GuestImage([1], as: .raw(base: GPA(~0)))
    }
    let elf = ELFBuilder(segments: [.init(gpa: 0x9000, bytes: [1])]).bytes
    #expect(try GuestImage(elf, as: .raw(base: GPA(0))).byte(at: GPA(0)) == 0x7F)
    #expect(throws: ImageError.self) { try GuestImage([1, 2], as: .elfCore) }
    #expect(throws: ImageError.self) { try GuestImage([1, 2], as: .lime) }
  }

  @Test("what is no regular file is refused, not waited for")
  func oddFilesAreRefused() {
    #expect(throws: ImageError.notRegular) { try GuestImage(contentsOf: FilePath("/")) }
    #expect(throws: ImageError.notRegular) { try GuestImage(contentsOf: FilePath("/dev/zero")) }
    #expect(throws: ImageError.empty) { try GuestImage(contentsOf: FilePath("/proc/self/maps")) }
    #expect {
      try GuestImage(contentsOf: FilePath("/nonexistent"))
    } throws: { "\($0)".contains("cannot be opened") }
  }
}
