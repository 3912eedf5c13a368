import Foundation
import MMU
import Paging
import Scenario
import SystemPackage
import TestSupport
import Testing

/// Image files behind the slots of a machine.
@Suite("Images that back memory")
struct ImageBackingTests {
  /// A folder with a raw image, gone with its owner.
  final class Folder {
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

    init() throws {
      try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    func write(_ bytes: [UInt8], as name: String) throws {
      try Data(bytes).write(to: url.appending(path: name))
    }

    func bytes(of name: String) throws -> [UInt8] {
      [UInt8](try Data(contentsOf: url.appending(path: name)))
    }

    var path: FilePath { FilePath(url.path) }

    deinit { try? FileManager.default.removeItem(at: url) }
  }

  private static func scenario(_ region: String, _ steps: String = "") -> String {
    """
    scenario: 1
    machine:
      guest: none
      mmu: ept
      memory: [\(region)]
    steps:
    \(steps.isEmpty ? "  - audit: {}\n" : steps)
    """
  }

  private static func runner(_ region: String, in folder: FilePath, _ steps: String = "")
    throws -> ScenarioRunner
  {
    try ScenarioRunner(Scenarios.read(scenario(region, steps)), folder: folder)
  }

  private static func error(_ region: String, in folder: FilePath) -> String? {
    do throws(ScenarioError) {
      _ = try ScenarioRunner(Scenarios.read(scenario(region)), folder: folder)
      return nil
    } catch { return error.message }
  }

  @Test("the guest writes its own copy of the image; the file stays as it was")
  func copyOnWrite() throws {
    let folder = try Folder()
    let image = (0..<5 * 4096 + 8).map { UInt8(truncatingIfNeeded: $0 >> 8) }
    try folder.write(image, as: "guest.raw")
    for backing in ["", ", backing: file", ", backing: anonymous"] {
      let runner = try Self.runner(
        "{gpa: 0x0, size: 32 KiB, image: guest.raw\(backing)}", in: folder.path,
        """
          - read: {va: 0x1234, size: 1}
            expect: {ok: true, value: 0x12}
          - write: {va: 0x1234, value: 0x99, size: 1}
          - read: {va: 0x1234, size: 1}
            expect: {ok: true, value: 0x99}
          - read: {va: 0x5007, size: 1}
            expect: {ok: true, value: 0x50}
          - read: {va: 0x5008, size: 1}
            expect: {ok: true, value: 0}
          - snapshot: s
          - write: {va: 0x1234, value: 0x77, size: 1}
          - restore: s
          - read: {va: 0x1234, size: 1}
            expect: {ok: true, value: 0x99}
          - read: {va: 0x2fff, size: 1}
            expect: {ok: true, value: 0x2f}
          - audit: {}

        """)
      let range = HPA(UInt64(16_385) << 12)..<HPA(UInt64(16_386) << 12)
      #expect(
        runner.machine.memory.host.largestPage(behind: range)
          == (backing.hasSuffix("anonymous") ? nil : .size4KiB))
      #expect(runner.run { _ in }.failed == 0)
      #expect(try folder.bytes(of: "guest.raw") == image)
    }
  }

  @Test("an image of many gigabytes opens without a copy")
  func largeImage() throws {
    let folder = try Folder()
    let url = folder.url.appending(path: "large.raw")
    try Data().write(to: url)
    let handle = try FileHandle(forWritingTo: url)
    try handle.truncate(atOffset: 64 << 30)
    try handle.seek(toOffset: 63 << 30)
    try handle.write(contentsOf: [0x42])
    // A copy would not fit into memory.
    let runner = try Self.runner(
      "{gpa: 0x0, size: 64 GiB, image: large.raw}", in: folder.path,
      """
        - poke: {gpa: 0xfc0000001, value: 0x43, size: 1}
        - audit: {}

      """)
    #expect(runner.run { _ in }.failed == 0)
    #expect(runner.machine.memory.view.read(GPA(63 << 30), count: 2) == [0x42, 0x43])
  }

  @Test("of an ELF core the pages that lie alike are mapped, their edges and the others copied")
  func core() throws {
    let folder = try Folder()
    // One segment from 0x1800 whose bytes lie at 0x800 of a page, one that lies otherwise.
    let segments: [(gpa: UInt64, offset: UInt64, size: UInt64)] = [
      (0x1800, 0x1800, 0x2900), (0x8000, 0x4200, 0x1000),
    ]
    var bytes: [UInt8] = [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1] + Array(repeating: 0, count: 9)
    func add(_ value: some FixedWidthInteger) {
      for byte in 0..<value.bitWidth / 8 {
        bytes.append(UInt8(truncatingIfNeeded: value >> (8 * byte)))
      }
    }
    add(UInt16(4))
    add(UInt16(62))
    add(UInt32(1))
    add(UInt64(0))
    add(UInt64(64))
    add(UInt64(0))
    add(UInt32(0))
    for field in [64, 56, segments.count, 0, 0, 0] { add(UInt16(field)) }
    for segment in segments {
      add(UInt32(1))
      add(UInt32(7))
      for field in [segment.offset, 0, segment.gpa, segment.size, segment.size, 0] { add(field) }
    }
    bytes += (bytes.count..<0x5200).map { UInt8(truncatingIfNeeded: $0 / 7) }
    try folder.write(bytes, as: "guest.core")
    let runner = try Self.runner(
      "{gpa: 0x0, size: 64 KiB, image: guest.core}", in: folder.path)
    let memory = runner.machine.memory
    var expected = [UInt8](repeating: 0, count: 64 << 10)
    for segment in segments {
      let (gpa, offset, size) = (Int(segment.gpa), Int(segment.offset), Int(segment.size))
      expected.replaceSubrange(gpa..<gpa + size, with: bytes[offset..<offset + size])
    }
    #expect(memory.view.read(GPA(0), count: 64 << 10) == expected)
    let page = { (number: UInt64) -> PageSize? in
      guard let hpa = memory.hpa(of: GPA(number << 12)) else { return nil }
      return memory.host.largestPage(behind: hpa..<hpa.wrappingAdd(4096))
    }
    #expect((0..<9).map(page) == [nil, nil, .size4KiB, .size4KiB, nil, nil, nil, nil, nil])
  }

  @Test("what cannot back a slot is one line")
  func refusals() throws {
    let folder = try Folder()
    try folder.write(Array(repeating: 1, count: 100), as: "small.raw")
    try folder.write(Array(repeating: 1, count: 8192), as: "guest.raw")
    for (region, words) in [
      ("{gpa: 0x0, size: 8 KiB, image: small.raw, backing: file}", "no page of the image lies"),
      ("{gpa: 0x0, size: 8 KiB, backing: file}", "needs an image"),
      ("{gpa: 0x0, size: 2 MiB, image: guest.raw, hugepages: 2 MiB, backing: file}", "needs an"),
      ("{gpa: 0x0, size: 2 MiB, backing: hugetlb}", "needs hugepages: 2 MiB or 1 GiB"),
      ("{gpa: 0x0, size: 1 GiB, hugepages: 1 GiB, backing: transparent}", "hugepages: 2 MiB"),
      ("{gpa: 0x1000, size: 2 MiB, hugepages: 2 MiB, backing: hugetlb}", "multiples of 2 MiB"),
      ("{gpa: 0x0, size: 4 KiB, device: uart, backing: anonymous}", "for ram and images"),
      ("{gpa: 0x0, size: 4 KiB, device: none, backing: transparent}", "for ram and images"),
      ("{gpa: 0x0, size: 4 KiB, backing: tape}", "'tape' is not allowed"),
      (
        "{gpa: 0x0, size: 16 TiB, hugepages: 1 GiB, backing: hugetlb}",
        "no 16384 huge pages of 1 GiB in store"
      ),
    ] {
      let message = Self.error(region, in: folder.path)
      #expect(message?.contains(words) == true, "\(region): \(message ?? "accepted")")
    }
    // The whole of the file is there, and nothing behind its end.
    let runner = try Self.runner(
      "{gpa: 0x0, size: 16 KiB, image: guest.raw, backing: file}", in: folder.path)
    #expect(runner.machine.memory.view.read(GPA(0x1fff), count: 2) == [1, 0])
  }
}
