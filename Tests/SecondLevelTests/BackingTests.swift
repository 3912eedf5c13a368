import Foundation
import MMU
import Paging
import TestSupport
import Testing

/// What the host puts behind memory, and what snapshots and levels make of it.
@Suite("Host backing")
struct BackingTests {
  /// A file of pages, each filled with its number, counted from 1.
  final class NumberedFile {
    let url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    let handle: FileHandle

    init(pages: Int, tail: Int = 0) throws {
      var bytes: [UInt8] = []
      for page in 0..<pages {
        bytes += Array(repeating: UInt8(truncatingIfNeeded: page + 1), count: 4096)
      }
      bytes += Array(repeating: 0xEE, count: tail)
      try Data(bytes).write(to: url)
      handle = try FileHandle(forUpdating: url)
    }

    func open() throws -> PageFile { try PageFile(duplicating: handle.fileDescriptor) }
    var bytes: Data { get throws { try Data(contentsOf: url) } }

    deinit { try? FileManager.default.removeItem(at: url) }
  }

  private static func range(_ pages: Range<UInt64>) -> Range<HPA> {
    HPA(pages.lowerBound << 12)..<HPA(pages.upperBound << 12)
  }

  private static func byte(_ host: HostMemory, page: UInt64) -> UInt128? {
    host.view.readValue(HPA(page << 12), size: 1)
  }

  @Test("a file backs memory copy-on-write: it is read from the file, and never changed")
  func copyOnWrite() throws {
    let file = try NumberedFile(pages: 4, tail: 100)
    let before = try file.bytes
    let host = try HostMemory(byteCount: 16 << 12)
    // Pages 2 to 3 of the file behind pages 5 to 6.
    try host.back(Self.range(5..<7), by: .file(file.open(), offset: 1 << 12))
    #expect(Self.byte(host, page: 4) == 0 && Self.byte(host, page: 7) == 0)
    #expect(Self.byte(host, page: 5) == 2 && Self.byte(host, page: 6) == 3)
    #expect(host.view.writeValue(0xAB, size: 1, at: HPA(5 << 12)))
    #expect(Self.byte(host, page: 5) == 0xAB)
    #expect(try file.bytes == before)
  }

  @Test("what cannot back memory is refused, and the memory stays as it was")
  func refusals() throws {
    let file = try NumberedFile(pages: 4, tail: 100)
    let host = try HostMemory(byteCount: 1024 << 12)
    func refusal(_ pages: Range<UInt64>, _ backing: HostMemoryBacking) -> HostMemoryBackingError? {
      do throws(HostMemoryBackingError) {
        try host.back(Self.range(pages), by: backing)
        return nil
      } catch { return error }
    }
    let open = try file.open()
    #expect(
      refusal(0..<5, .file(open, offset: 0)) == .fileTooShort(byteCount: 16_484, needed: 20_480))
    #expect(
      refusal(0..<1, .file(open, offset: ~0xFFF))
        == .fileTooShort(byteCount: 16_484, needed: .max))
    #expect(refusal(0..<1, .file(open, offset: 8)) == .misaligned(HPA(8), .size4KiB))
    #expect(refusal(1023..<1025, .file(open, offset: 0)) == .outside(HPA(1025 << 12)))
    #expect(refusal(1..<513, .hugePages(.size2MiB)) == .misaligned(HPA(4096), .size2MiB))
    #expect(refusal(1..<3, .file(open, offset: 0)) == nil)
    #expect(refusal(2..<4, .file(open, offset: 0)) == .backedAlready(HPA(2 << 12)))
    #expect(refusal(0..<1, .file(open, offset: 0)) == nil)
    _ = try host.snapshot()
    #expect(refusal(8..<9, .file(open, offset: 0)) == .backedAlready(HPA(8 << 12)))
    #expect(Self.byte(host, page: 8) == 0)
    #expect(throws: HostMemoryBackingError.unusableFile) {
      let folder = try FileHandle(forReadingFrom: URL(filePath: "/dev/null"))
      _ = try PageFile(duplicating: folder.fileDescriptor)
    }
  }

  @Test("F11 a slot is mapped no larger than the host's own pages behind it")
  func levels() throws {
    let file = try NumberedFile(pages: 512)
    let memory = GuestMemory(host: try HostMemory(byteCount: 8 << 20))
    try memory.host.back(HPA(2 << 20)..<HPA(4 << 20), by: .file(file.open(), offset: 0))
    try memory.update { table throws(MemslotError) in
      try table
        .adding(
          Memslot(
            id: 0, base: GFN(0), frameCount: 1024, host: HPA(2 << 20), backing: .size1GiB)
        )
        .adding(Memslot(id: 1, base: GFN(4096), frameCount: 512, host: HPA(6 << 20)))
    }
    let slots = memory.slots
    #expect(slots[id: 0]?.backing == .size4KiB)
    #expect(slots[id: 0]?.largestLevel(for: GFN(600), upTo: .directory) == .pageTable)
    #expect(slots[id: 1]?.largestLevel(for: GFN(4100), upTo: .directory) == .directory)
  }

  /// Goes through moments of a machine whose memory is of every kind.
  private func snapshots(of host: HostMemory, parts: [Range<UInt64>], file: NumberedFile) throws {
    let bytes = { host.view.read(HPA(0), count: Int(host.byteCount)) }
    var random = SeededGenerator(seed: 11)
    func scribble() {
      for part in parts {
        for _ in 0..<3 {
          let page = part.lowerBound + random.next() % UInt64(part.count)
          _ = host.view.writeValue(
            UInt128(random.next()), size: 8, at: HPA(page << 12 + random.next() % 512 * 8))
        }
      }
    }
    let before = try file.bytes
    scribble()
    var moments: [(HostSnapshot, [UInt8]?)] = []
    for _ in 0..<4 {
      moments.append((try host.snapshot(), bytes()))
      scribble()
    }
    for index in [2, 0, 3, 1, 1] {
      let (snapshot, expected) = moments[index]
      let now = bytes()
      let changed = try host.restore(snapshot)
      #expect(bytes() == expected, "moment \(index)")
      let differing = (0..<Int(host.byteCount >> 12)).filter { page in
        now?[(page << 12)..<((page + 1) << 12)] != expected?[(page << 12)..<((page + 1) << 12)]
      }
      #expect(changed.map(\.rawValue) == differing.map(UInt64.init))
      scribble()
    }
    #expect(try file.bytes == before)
  }

  @Test("snapshots put memory back that files are behind, in any order")
  func fileSnapshots() throws {
    let file = try NumberedFile(pages: 40)
    let host = try HostMemory(byteCount: 64 << 12)
    try host.back(Self.range(4..<12), by: .file(file.open(), offset: 3 << 12))
    try host.back(Self.range(12..<20), by: .file(file.open(), offset: 20 << 12))
    try host.back(Self.range(60..<64), by: .file(file.open(), offset: 0))
    try snapshots(of: host, parts: [0..<4, 4..<12, 12..<20, 20..<60, 60..<64], file: file)
  }

  @Test(
    "huge pages back memory and come through snapshots, or the system's lack of them is one line",
    arguments: [HostMemoryBacking.hugePages(.size2MiB), .transparentHugePages])
  func hugePages(backing: HostMemoryBacking) throws {
    let file = try NumberedFile(pages: 4)
    let host = try HostMemory(byteCount: 8 << 20, alignment: .size2MiB)
    let part = HPA(2 << 20)..<HPA(6 << 20)
    do throws(HostMemoryBackingError) {
      try host.back(part, by: backing)
    } catch {
      #expect(error == .noHugePages(.size2MiB, count: 2) || error == .noTransparentHugePages)
      #expect(!error.description.contains("\n"))
      // The anonymous pages are still there.
      #expect(host.view.writeValue(7, size: 8, at: part.lowerBound))
      #expect(host.largestPage(behind: part) == nil)
      print("left out: \(error)")
      return
    }
    #expect(host.largestPage(behind: part) == .size2MiB)
    try host.back(Self.range(0..<4), by: .file(file.open(), offset: 0))
    try snapshots(of: host, parts: [0..<4, 4..<512, 512..<1536, 1536..<2048], file: file)
  }
}
