import GuestImage
import MMU
import Paging

/// Brings the pages of an image one by one, as another host would in post-copy migration; holes are
/// zeros.
final class ImagePages: MissingPageHandler {
  private let image: GuestImage

  init(_ image: GuestImage) { self.image = image }

  func page(_ gfn: GFN) -> MissingPageAnswer {
    let gpa = gfn.baseAddress
    if case .success(let bytes) = image.read(gpa, count: 4096) { return .page(bytes) }
    if isHole(gpa) { return .page([UInt8](repeating: 0, count: 4096)) }
    return .page((0..<4096 as Range<UInt64>).map { image.byte(at: gpa.wrappingAdd($0)) ?? 0 })
  }

  /// Whether no segment has a byte of a page.
  private func isHole(_ gpa: GPA) -> Bool {
    // The first segment that ends after the page's first byte.
    var low = 0
    var high = image.segments.count
    while low < high {
      let middle = (low + high) / 2
      if image.segments[middle].end > gpa { high = middle } else { low = middle + 1 }
    }
    guard low < image.segments.count else { return true }
    let first = image.segments[low].gpa
    return first > gpa && first.rawValue - gpa.rawValue >= 4096
  }
}
