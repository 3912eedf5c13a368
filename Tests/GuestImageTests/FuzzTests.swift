import FoundationEssentials
import GuestImage
import Notation
import Paging
import SharedData
import TestSupport
import Testing
import X86

@Suite("Damaged images")
struct FuzzTests {
  /// Half of the changes fall into the headers, where most of what can go wrong is.
  private func damage(
    _ bytes: inout [UInt8], headers: Int, _ generator: inout SeededGenerator
  ) {
    for _ in 0..<Int.random(in: 1...6, using: &generator) {
      let limit = Bool.random(using: &generator) ? min(headers, bytes.count) : bytes.count
      let offset = Int.random(in: 0..<limit, using: &generator)
      switch Int.random(in: 0..<4, using: &generator) {
      case 0: bytes[offset] = .random(in: 0...255, using: &generator)
      case 1: bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 2:
        let odd: [UInt64] = [0, 1, ~0, 1 << 63, 0x7FFF_FFFF_FFFF_F000, 0xFFFF]
        let value = ELFBuilder.little(odd.randomElement(using: &generator) ?? 0)
        for (index, byte) in value.enumerated() where offset + index < bytes.count {
          bytes[offset + index] = byte
        }
      default: bytes[offset] = bytes[Int.random(in: 0..<bytes.count, using: &generator)]
      }
    }
    if Int.random(in: 0..<8, using: &generator) == 0 {
      bytes.removeLast(Int.random(in: 1..<bytes.count, using: &generator))
    }
  }

  @Test(
    "10,000 damaged images are refused or walked, and never trap",
    .enabled(if: SharedData.images != nil, "the recorded images are not here"))
  func damagedImagesNeverTrap() throws {
    let folder = try #require(SharedData.images)
    let said = ProcessInfo.processInfo.environment["MMU_FUZZ_SEED"].flatMap { UInt64($0) }
    let seed = said ?? UInt64.random(in: 0...UInt64.max)
    print("fuzz seed of the images: \(seed) (MMU_FUZZ_SEED=\(seed) repeats it)")
    var generator = SeededGenerator(seed: seed)
    let images = (SharedData.guests.map { "\($0).core" } + ["linux64.lime"])
    var refused = 0
    var walked = 0
    for name in images {
      let original = try SharedData.bytes("\(folder)/\(name)")
      let addresses = try Manifest.read(String(name.prefix { $0 != "." }), in: folder).samples
        .filter { $0.pa != nil }.prefix(40).map { GVA($0.va.value) }
      for _ in 0..<2_000 {
        var bytes = original
        damage(&bytes, headers: 0xC00, &generator)
        do {
          let image = try GuestImage(bytes)
          var given = RegisterValues()
          if image.vCPUs.isEmpty { given.cr3 = 0x29E_E000 }
          let resolved = try ImageRegisters(of: image, given: given)
          let space = try ImageAddressSpace(image, resolved)
          for _ in 0..<4 {
            let address = addresses.randomElement(using: &generator) ?? GVA(0)
            _ = space.translate(address, Probe())
          }
          _ = space.translate(GVA(.random(in: 0...UInt64.max, using: &generator)), Commit())
          walked += 1
        } catch { refused += 1 }
      }
    }
    #expect(refused + walked == 10_000)
    #expect(refused > 100, "the damage reaches the headers (seed \(seed))")
    #expect(walked > 100, "the damage leaves images that open (seed \(seed))")
  }

  @Test(
    "6,000 damaged kdump files are refused or opened, and never trap", arguments: [true, false])
  func damagedKdumpsNeverTrap(isFlat: Bool) throws {
    let said = ProcessInfo.processInfo.environment["MMU_FUZZ_SEED"].flatMap { UInt64($0) }
    let seed = said ?? UInt64.random(in: 0...UInt64.max)
    print("fuzz seed of the kdump files: \(seed) (MMU_FUZZ_SEED=\(seed) repeats it)")
    var generator = SeededGenerator(seed: seed)
    let builder = KdumpTests.builder()
    let original = isFlat ? builder.flattened : builder.plain
    var refused = 0
    for _ in 0..<3_000 {
      var bytes = original
      // The bytes behind the bitmaps are descriptors and compressed pages.
      if Bool.random(using: &generator) {
        damage(&bytes, headers: 0x2100, &generator)
      } else {
        let offset = Int.random(in: 0x4000..<bytes.count, using: &generator)
        bytes[offset] = .random(in: 0...255, using: &generator)
      }
      do { _ = try GuestImage(copying: bytes) } catch { refused += 1 }
    }
    #expect((100..<2_900).contains(refused), "\(refused) refused (seed \(seed))")
  }
}
