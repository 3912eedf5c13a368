import GuestImage
import Inspection
import Notation
import Paging
import SharedData
import SystemPackage
import TestSupport
import Testing
import X86

@Suite("Roots from memory alone")
struct RootTests {
  @Test(
    "every root of the manifest is found with its mode and mappings, and no other",
    .enabled(if: SharedData.images != nil, "no recorded images"),
    arguments: SharedData.guests.map { ($0, "core") } + [("linux64", "lime")])
  func rootsAreFound(name: String, kind: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try RootManifest.read(name, in: folder)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/\(name).\(kind)"))
    let found = RootFinder(image).find()
    #expect(found.allSatisfy { $0.mode.rawValue == manifest.mode })
    let mappings = Dictionary(uniqueKeysWithValues: found.map { ($0.root.rawValue, $0.mappings) })
    for (root, count) in zip(manifest.roots, manifest.rootMappings) {
      #expect(mappings[root.value] == Int(count.value), "\(root.value)")
    }
    #expect(found.count == manifest.roots.count)
    #expect(found.map(\.score) == found.map(\.score).sorted(by: >))
    // The kernel's own table maps what all share and nothing more, so none maps less.
    let kernel = found.filter(\.isKernelReference)
    #expect(kernel.count == 1)
    #expect(kernel.first?.mapsLowerPart == false)
    #expect(kernel.first?.mappings == found.map(\.mappings).min())
  }

  @Test(
    "the one root of the showcase is found", .enabled(if: SharedData.images != nil, "no images"))
  func loneRootIsFound() throws {
    let folder = try #require(SharedData.images)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/showcase.core"))
    let found = RootFinder(image).find()
    #expect(found.map(\.root) == [GPA(0x29E_E000)])
    #expect(found.first?.mode == .long4)
  }

  @Test(
    "roots are found among pages of noise, and noise is none",
    .enabled(if: SharedData.images != nil, "no recorded images"), arguments: SharedData.guests)
  func noiseIsNoRoot(name: String) throws {
    let folder = try #require(SharedData.images)
    let manifest = try RootManifest.read(name, in: folder)
    let image = try GuestImage(contentsOf: FilePath("\(folder)/\(name).core"))
    var bytes = noise(pages: 192, seed: 7)
    // The tables overlay the noise where they lie; what lies beyond stays out.
    var last: UInt64 = 0
    for segment in image.segments { last = max(last, segment.end.rawValue) }
    bytes += [UInt8](repeating: 0, count: Int(last) - bytes.count)
    for segment in image.segments {
      let read = try image.read(segment.gpa, count: Int(segment.size)).get()
      let start = Int(segment.gpa.rawValue)
      bytes.replaceSubrange(start..<start + read.count, with: read)
    }
    let found = RootFinder(try GuestImage(copying: bytes, as: .raw(base: GPA(0)))).find()
    let wanted = Set(manifest.roots.map(\.value))
    #expect(wanted.isSubset(of: found.map(\.root.rawValue)))
    let wrong = found.filter {
      !wanted.contains($0.root.rawValue) || $0.mode.rawValue != manifest.mode
    }
    #expect(wrong.count * 5 <= found.count, "\(wrong)")
  }

  @Test("noise, zeros and tables that hold themselves end soon and name nothing much")
  func hostileImagesEnd() throws {
    let zeros = try GuestImage(
      copying: [UInt8](repeating: 0, count: 1 << 20), as: .raw(base: GPA(0)))
    #expect(RootFinder(zeros).find().isEmpty)
    let random = try GuestImage(copying: noise(pages: 192, seed: 1), as: .raw(base: GPA(0)))
    #expect(RootFinder(random).find().isEmpty)
    // 256 pages, each full of entries that point to the next: as deep as there are levels.
    var words = [UInt64](repeating: 0, count: 256 * 512)
    for page in 0..<256 {
      for index in 0..<512 { words[page * 512 + index] = UInt64((page + 1) % 256) << 12 | 0x67 }
    }
    let bytes = words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) }
    }
    let looped = try GuestImage(copying: bytes, as: .raw(base: GPA(0)))
    _ = RootFinder(looped).find()
  }

  /// Pages of what data looks like: dense, sparse, small numbers, pointers, near misses of entries.
  private func noise(pages: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(pages * 4096)
    for page in 0..<pages {
      for _ in 0..<512 {
        let draw = generator.next()
        let word: UInt64 =
          switch page % 6 {
          case 0: draw
          case 1: draw & 15 == 0 ? draw >> 40 : 0
          case 2: draw & 0x3FFF_0000_3FFF
          case 3: 0xFFFF_8880_0000_0000 | draw >> 36
          case 4: draw & 3 == 0 ? draw >> 8 & 0xFFF << 12 | draw >> 50 & 0x67 : 0
          default: 0
          }
        for shift in stride(from: 0 as UInt64, to: 64, by: 8) {
          bytes.append(UInt8(truncatingIfNeeded: word >> shift))
        }
      }
    }
    return bytes
  }
}
