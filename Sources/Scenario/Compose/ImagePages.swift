import GuestImage
import MMU
import Paging

/// Brings the pages of an image one by one, as another host would in post-copy migration; holes are
/// zeros.
final class ImagePages: MissingPageHandler {
  private let image: GuestImage

  init(_ image: GuestImage) { self.image = image }

  func page(_ gfn: GFN) -> MissingPageAnswer {
    let end = gfn.baseAddress.wrappingAdd(4096)
    var bytes: [UInt8] = []
    while bytes.count < 4096 {
      let place = gfn.baseAddress.wrappingAdd(UInt64(bytes.count))
      guard let next = image.firstHeld(from: place), next < end else {
        bytes += repeatElement(0, count: 4096 - bytes.count)
        break
      }
      bytes += repeatElement(0, count: Int(next.rawValue &- place.rawValue))
      let held = Int(image.heldBytes(from: next, upTo: UInt64(4096 - bytes.count)))
      guard case .success(let part) = image.read(next, count: held) else { return .failed }
      bytes += part
    }
    return .page(bytes)
  }
}
