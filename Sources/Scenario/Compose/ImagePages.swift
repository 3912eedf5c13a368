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
    return .page((0..<4096 as Range<UInt64>).map { image.byte(at: gpa.wrappingAdd($0)) ?? 0 })
  }
}
