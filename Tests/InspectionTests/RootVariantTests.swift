import GuestImage
import Inspection
import Notation
import Paging
import SharedData
import SystemPackage
import TestSupport
import Testing
import X86

/// The recorded guests as they might have been: fewer processes, page-table isolation.
@Suite("Roots of guests with few processes")
struct RootVariantTests {
  private struct Guest {
    let mode: String
    let roots: [UInt64]
    var pages: [UInt64: [UInt8]] = [:]

    init(_ name: String) throws {
      let folder = try #require(SharedData.images)
      let manifest = try RootManifest.read(name, in: folder)
      mode = manifest.mode
      roots = manifest.roots.map(\.value)
      let image = try GuestImage(contentsOf: FilePath("\(folder)/\(name).core"))
      for segment in image.segments {
        for start in stride(from: 0, to: segment.size, by: 4096) {
          let gpa = segment.gpa.wrappingAdd(start)
          pages[gpa.rawValue] = try image.read(gpa, count: 4096).get()
        }
      }
    }

    /// Takes the top tables of all other roots out of the memory.
    mutating func keep(_ kept: [UInt64]) {
      let size = mode == "pae" ? 32 : 4096
      for root in roots where !kept.contains(root) {
        let start = Int(root & 0xFFF)
        pages[root & ~0xFFF]?.replaceSubrange(
          start..<start + size, with: repeatElement(0, count: size))
      }
    }

    /// What is found and was not there, and what was there and is not found.
    func difference(from wanted: [UInt64]) throws -> (missed: Int, false: Int) {
      var bytes: [UInt8] = []
      for (address, page) in pages.sorted(by: { $0.key < $1.key }) {
        bytes += [0x45, 0x4D, 0x69, 0x4C, 1, 0, 0, 0]
        for word in [address, address + 0xFFF, 0] {
          bytes += (0..<8).map { UInt8(truncatingIfNeeded: word >> UInt64(8 * $0)) }
        }
        bytes += page
      }
      let found = RootFinder(try GuestImage(copying: bytes)).find()
      let right = found.filter { $0.mode.rawValue == mode }.map(\.root.rawValue)
      return (
        Set(wanted).subtracting(right).count,
        found.count - Set(wanted).intersection(right).count
      )
    }
  }

  @Test(
    "every root is found where it is the only one",
    .enabled(if: SharedData.images != nil, "no images"),
    arguments: SharedData.guests)
  func singleRoots(name: String) throws {
    let guest = try Guest(name)
    for root in guest.roots {
      var alone = guest
      alone.keep([root])
      #expect(try alone.difference(from: [root]) == (0, 0), "root \(root)")
    }
  }

  @Test(
    "two, three and five processes are found, whichever they are",
    .enabled(if: SharedData.images != nil, "no images"), arguments: SharedData.guests)
  func fewRoots(name: String) throws {
    let guest = try Guest(name)
    var generator = SeededGenerator(seed: 4)
    for count in [2, 2, 3, 3, 5] {
      let kept = Array(guest.roots.shuffled(using: &generator).prefix(count))
      var few = guest
      few.keep(kept)
      #expect(try few.difference(from: kept) == (0, 0), "roots \(kept)")
    }
  }

  @Test(
    "with page-table isolation both tables of a process are found",
    .enabled(if: SharedData.images != nil, "no images"), arguments: ["linux64", "linux57"],
    [1, 3, 10])
  func isolatedPairs(name: String, processes: Int) throws {
    var guest = try Guest(name)
    let kept = Array(guest.roots.prefix(processes))
    guest.keep(kept)
    var place = ((guest.pages.keys.max() ?? 0) + 0x2000) & ~0x1FFF
    var wanted: [UInt64] = []
    for root in kept {
      guard var kernel = guest.pages.removeValue(forKey: root) else { continue }
      // The user's table lies behind the kernel's and holds of the upper part only what an entry into
      // the kernel needs; the kernel's may not execute what the user can.
      var user = kernel
      user.replaceSubrange(2048..<511 * 8, with: repeatElement(0, count: 255 * 8))
      for index in 0..<256 where kernel[index * 8] & 1 != 0 { kernel[index * 8 + 7] |= 0x80 }
      guest.pages[place] = kernel
      guest.pages[place + 0x1000] = user
      wanted += [place, place + 0x1000]
      place += 0x2000
    }
    // A kernel thread's table has no lower part, and its user table nothing but the entry.
    let found = try guest.difference(from: wanted)
    #expect(found.missed == 0)
    #expect(found.false == 0)
  }
}
