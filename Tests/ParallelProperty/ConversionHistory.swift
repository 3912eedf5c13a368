import MMU
import Paging
import TestSupport

/// Which pages were private and which shared, and as what vCPUs found them.
///
/// Between two conversions a page is what the last one made it: as the other kind it is refused.
final class ConversionHistory: Sendable {
  /// A conversion; one thread makes all.
  struct Conversion: Sendable {
    let toPrivate: Bool
    let start: UInt64
    let end: UInt64
  }

  /// An access that a vCPU made to a page as one kind.
  struct Sighting: Sendable {
    let page: UInt64
    let asPrivate: Bool
    /// Whether the page was of this kind.
    let isGranted: Bool
    let start: UInt64
    let end: UInt64
  }

  private let conversions = Guarded<[UInt64: [Conversion]]>([:])
  private let sightings = Guarded<[Sighting]>([])

  func add(_ conversion: Conversion, of pages: Range<UInt64>) {
    conversions.withLock { all in
      for page in pages { all[page, default: []].append(conversion) }
    }
  }

  func add(_ seen: [Sighting]) { sightings.withLock { $0 += seen } }

  /// One line for each sighting that contradicts the conversions; all pages are private at first.
  func breaches() -> [String] {
    let conversions = self.conversions.withLock { $0 }
    return sightings.withLock { sightings in
      sightings.compactMap { sighting in
        let last = conversions[sighting.page, default: []].last { $0.start < sighting.end }
        if let last, last.end > sighting.start { return nil }
        let isPrivate = last?.toPrivate ?? true
        guard sighting.isGranted != (sighting.asPrivate == isPrivate) else { return nil }
        return "page \(sighting.page) was \(isPrivate ? "private" : "shared"), and as "
          + "\(sighting.asPrivate ? "private" : "shared") it was "
          + (sighting.isGranted ? "granted" : "refused")
      }
    }
  }
}
