public import GuestImage
import Paging
import Synchronization
import X86

/// Finds page-table roots from memory alone: no registers, no symbols.
///
/// Every page is sieved once by its own words; what could be a top table is then judged with all
/// tables below it, each page at most once a level. Roots whose upper parts agree speak for each
/// other, since every kernel maps itself alike in all processes; a page that is a lower table of a
/// better root is none itself, which also tells four levels from five.
public struct RootFinder: Sendable {
  private let image: GuestImage
  private let pages: PageIndex

  /// A finder for an image.
  public init(_ image: GuestImage) {
    self.image = image
    pages = PageIndex(image)
  }

  /// The roots, best first.
  ///
  /// - Parameter progress: told the share that is done, 0...1, from any thread.
  public func find(progress: (@Sendable (Double) -> Void)? = nil) -> [RootCandidate] {
    let sieved = sieve(progress)
    var judge = TableJudge(image, pages)
    var found: [FoundRoot] = []
    for (number, sieve) in sieved {
      let address = pages.address(of: number)
      if sieve.contains(.wideTop) {
        // Tables of five levels pass for tables of four, not the other way round.
        if let root = FoundRoot(wide: address, .long5, &judge)
          ?? FoundRoot(wide: address, .long4, &judge)
        {
          found.append(root)
        }
      }
      if sieve.contains(.narrowTop), let root = FoundRoot(narrow: address, &judge) {
        found.append(root)
      }
      if sieve.contains(.pointers) {
        for place in stride(from: address, to: address &+ 0x1000, by: 32) {
          if let root = FoundRoot(pointers: place, &judge) { found.append(root) }
        }
      }
    }
    return RootRanking(found, judge).ranked()
  }

  private func sieve(_ progress: (@Sendable (Double) -> Void)?) -> [(Int, PageSieve)] {
    // Pieces of at most 64 MiB, so that a bar moves.
    let pieces = max(Parallel.width * 8, pages.count / 16_384)
    let slices = Parallel.ranges(pages.count, pieces: pages.count < 2048 ? 1 : pieces)
    let done = Atomic(0)
    return Parallel.map(slices.count) { slice in
      let found = slices[slice].compactMap { number -> (Int, PageSieve)? in
        let sieve = PageSieve(pages.address(of: number), image, pages)
        return sieve.isEmpty ? nil : (number, sieve)
      }
      let finished = done.add(1, ordering: .relaxed).newValue
      progress?(Double(finished) / Double(slices.count))
      return found
    }.flatMap(\.self)
  }
}
