/// What each page of host memory holds until it is written: since the first snapshot, the common
/// ground of all snapshots.
final class HostOrigin: Sendable {
  /// What anonymous pages held then; holes elsewhere.
  let pages: PageFile
  /// Ascending, never overlapping.
  let parts: [HostPart]

  init(pages: PageFile, parts: [HostPart]) {
    self.pages = pages
    self.parts = parts
  }

  /// Reads one page as it was.
  func read(page: UInt64, into bytes: UnsafeMutableRawBufferPointer) {
    let address = page * 4096
    if let part = parts.part(at: address), case .file(let file, let offset) = part.backing {
      unsafe file.read(bytes, at: offset + (address - part.range.lowerBound))
    } else {
      unsafe pages.read(bytes, at: address)
    }
  }

  /// Whether a page stays where it is when memory is put back, so that its bytes are copied.
  func staysInPlace(page: UInt64) -> Bool {
    guard let part = parts.part(at: page * 4096) else { return false }
    if case .file = part.backing { return false }
    return true
  }

  /// What to map copy-on-write to have a range back, piece by piece; huge pages are no such piece.
  ///
  /// - Returns: where each piece begins in its file, and its place in memory.
  func pieces(of wanted: Range<UInt64>) -> [(file: PageFile, offset: UInt64, range: Range<UInt64>)]
  {
    var pieces: [(file: PageFile, offset: UInt64, range: Range<UInt64>)] = []
    var cursor = wanted.lowerBound
    func addPages(upTo end: UInt64) {
      if cursor < end { pieces.append((pages, cursor, cursor..<end)) }
    }
    for part in parts.parts(in: wanted) {
      let range = part.range.clamped(to: wanted)
      addPages(upTo: range.lowerBound)
      if case .file(let file, let offset) = part.backing {
        pieces.append((file, offset + (range.lowerBound - part.range.lowerBound), range))
      }
      cursor = range.upperBound
    }
    addPages(upTo: wanted.upperBound)
    return pieces
  }
}
