import GuestImage
import Inspection
import Paging
import SystemPackage
import X86

extension PairBenchmark {
  private static var image: String { "Examples/images/showcase.core" }

  /// What the tools do with a memory image: its map against translations of every page it lists, its
  /// roots against one reading of its memory.
  static var images: [PairBenchmark] {
    [
      PairBenchmark(
        name: "image.map", count: 1, baseline: "translations", agrees: false, file: image
      ) {
        let image = try GuestImage(contentsOf: FilePath(image))
        let space = try ImageAddressSpace(image, ImageRegisters(of: image))
        let pages = try AddressSpaceMap<MappedPage>(of: space).elements
        return Sides(
          program: {
            let map = try? AddressSpaceMap<MappedPage>(of: space)
            return WalkLoop.Tally(
              checksum: UInt64(map?.elements.count ?? 0), failures: map == nil ? 1 : 0)
          },
          baseline: {
            var tally = WalkLoop.Tally()
            for page in pages {
              switch space.translate(page.start, Probe()) {
              case .success(let found): tally.checksum &+= found.address.rawValue
              case .failure: tally.failures += 1
              }
            }
            return tally
          })
      },
      PairBenchmark(
        name: "image.roots", count: 1, baseline: "reading", agrees: false, file: image
      ) {
        let image = try GuestImage(contentsOf: FilePath(image))
        return Sides(
          program: {
            let roots = RootFinder(image).find()
            return WalkLoop.Tally(
              checksum: roots.reduce(0) { $0 &+ $1.root.rawValue }, failures: roots.isEmpty ? 1 : 0)
          },
          baseline: { read(image) })
      },
    ]
  }

  private static func read(_ image: GuestImage) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    var next = GPA(0)
    while let gpa = image.firstHeld(from: next) {
      for offset in stride(from: 0, to: 4096 as UInt64, by: 8) {
        if case .success(let word) = image.load(gpa.wrappingAdd(offset), as: UInt64.self) {
          tally.checksum &+= word
        }
      }
      next = gpa.wrappingAdd(4096)
    }
    return tally
  }
}
