/// Host memory as it was at one moment.
///
/// All snapshots of a machine share one file of its pages, which its memory is a copy-on-write mapping
/// of since the first of them; each adds the pages that were different by then.
public final class HostSnapshot: Sendable {
  let origin: HostOrigin
  private let changes: PageFile
  /// Where a page that differs from the origin is in `changes`. **Units** pages.
  private let places: [UInt64: UInt64]

  init(origin: HostOrigin, changes: PageFile, places: [UInt64: UInt64]) {
    self.origin = origin
    self.changes = changes
    self.places = places
  }

  /// The pages that this snapshot holds for itself. **Units** pages.
  public var pageCount: Int { places.count }

  /// The pages that differ from the origin, ascending.
  var pages: [UInt64] { places.keys.sorted() }

  /// Reads one page as it was.
  func read(page: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    if let place = places[page] {
      unsafe changes.read(bytes, at: place * 4096)
    } else {
      unsafe origin.read(page: page, into: bytes)
    }
  }
}
