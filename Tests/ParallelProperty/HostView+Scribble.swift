import Foundation
import MMU
import Paging

extension HostView {
  /// Writes over a page that nobody else may use now, waits long enough for a vCPU that still held it to
  /// use it, and as wanted puts back what was there.
  ///
  /// - Returns: whether nobody wrote there meanwhile.
  func scribble(at place: HPA, restoring: Bool) -> Bool {
    guard let bytes = read(place, count: 4096) else { return false }
    let scribble = bytes.map { ~$0 }
    // SAFETY: bytes have no padding.
    _ = unsafe write(scribble.span.bytes, at: place)
    Thread.sleep(forTimeInterval: 0.001)
    let isUntouched = read(place, count: 4096) == scribble
    // SAFETY: as above.
    if restoring { _ = unsafe write(bytes.span.bytes, at: place) }
    return isUntouched
  }
}
