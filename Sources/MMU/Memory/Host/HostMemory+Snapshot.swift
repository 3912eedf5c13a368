public import Paging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension HostMemory {
  /// The most memory that snapshots are taken of: looking for written pages takes eight bytes a page.
  /// **Units** bytes.
  public static var largestSnapshot: UInt64 { 1 << 40 }

  /// Keeps the memory as it is now. **Requires** that nobody writes meanwhile.
  ///
  /// The first snapshot moves what has been written to a file and makes the memory a copy-on-write
  /// mapping of it; later ones copy the pages that differ from that file. What a file backs already is
  /// compared with that one; huge pages are copied.
  ///
  /// - Throws: `SnapshotError.unavailable` or `tooLarge`.
  public func snapshot() throws(SnapshotError) -> HostSnapshot {
    guard byteCount <= Self.largestSnapshot else { throw .tooLarge(byteCount: byteCount) }
    let origin: HostOrigin
    if let known = self.origin.withLock({ $0 }) {
      origin = known
    } else {
      origin = try makeOrigin()
    }
    let changes = try PageFile(byteCount: 0)
    var places: [UInt64: UInt64] = [:]
    for page in writtenPages {
      let bytes = unsafe bytes(ofPage: page)
      if unsafe Self.holds(origin, page, equalTo: bytes) { continue }
      let place = UInt64(places.count)
      try unsafe changes.write(bytes, at: place * 4096)
      places[page] = place
    }
    return HostSnapshot(origin: origin, changes: changes, places: places)
  }

  /// Moves the anonymous pages that were written to a file and maps it in their place; what has a
  /// backing of its own keeps it.
  private func makeOrigin() throws(SnapshotError) -> HostOrigin {
    let made = HostOrigin(
      pages: try PageFile(byteCount: byteCount), parts: parts.withLock { $0 })
    let pieces = made.pieces(of: 0..<byteCount).filter { $0.file === made.pages }
    var next = 0
    for page in writtenPages {
      while next < pieces.count, pieces[next].range.upperBound <= page * 4096 { next += 1 }
      guard next < pieces.count, pieces[next].range.contains(page * 4096) else { continue }
      let bytes = unsafe bytes(ofPage: page)
      if unsafe !Self.isZero(bytes) { try unsafe made.pages.write(bytes, at: page * 4096) }
    }
    for piece in pieces { try map(piece) }
    origin.withLock { $0 = made }
    return made
  }

  /// Puts the memory back to what it was. **Requires** that nobody uses it meanwhile.
  ///
  /// - Parameters:
  ///   - snapshot: what was kept.
  ///   - spared: what stays as it is; whole pages.
  /// - Returns: the frames whose bytes changed, ascending.
  /// - Throws: `SnapshotError.foreign`, or `unavailable` where the system refuses to map.
  public func restore(
    _ snapshot: HostSnapshot, sparing spared: Range<HPA> = HPA(0)..<HPA(0)
  ) throws(SnapshotError) -> [PFN] {
    guard let origin = origin.withLock({ $0 }), origin === snapshot.origin else {
      throw .foreign
    }
    let isSpared = { (page: UInt64) in spared.contains(HPA(page * 4096)) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 4096, alignment: 8)
    defer { unsafe buffer.deallocate() }
    // What was written since, and what the snapshot has that the memory may have lost.
    var changed: [PFN] = []
    for page in Set(writtenPages).union(snapshot.pages).sorted() where !isSpared(page) {
      unsafe snapshot.read(page: page, into: buffer)
      if unsafe !Self.areEqual(bytes(ofPage: page), UnsafeRawBufferPointer(buffer)) {
        changed.append(PFN(page))
      }
    }
    let low = min(spared.lowerBound.rawValue, byteCount)
    let high = min(max(spared.upperBound.rawValue, low), byteCount)
    for part in low < high ? [0..<low, high..<byteCount] : [0..<byteCount] where !part.isEmpty {
      for piece in origin.pieces(of: part) { try map(piece) }
    }
    let inPlace = changed.lazy.map(\.rawValue).filter(origin.staysInPlace)
    for page in Set(snapshot.pages).union(inPlace) where !isSpared(page) {
      // SAFETY: a page of the mapping, which nobody uses.
      unsafe snapshot.read(
        page: page,
        into: UnsafeMutableRawBufferPointer(start: base.raw + Int(page) * 4096, count: 4096))
    }
    return changed
  }

  private func map(
    _ piece: (file: PageFile, offset: UInt64, range: Range<UInt64>)
  ) throws(SnapshotError) {
    guard map(piece.file, from: piece.offset, over: piece.range) else {
      throw .unavailable(byteCount: UInt64(piece.range.count))
    }
  }

  /// The pages that may differ from what was mapped, ascending.
  private var writtenPages: [UInt64] {
    unsafe PrivatePages.runs(from: UnsafeRawPointer(base.raw), pageCount: byteCount / 4096)
      .flatMap { Array($0) }
  }

  // SAFETY: callers count pages of the mapping, and nobody writes meanwhile.
  private func bytes(ofPage page: UInt64) -> UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: base.raw + Int(page) * 4096, count: 4096)
  }

  private static func holds(
    _ origin: HostOrigin, _ page: UInt64, equalTo bytes: UnsafeRawBufferPointer
  ) -> Bool {
    unsafe withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { buffer in
      unsafe origin.read(page: page, into: buffer)
      return unsafe areEqual(UnsafeRawBufferPointer(buffer), bytes)
    }
  }

  // SAFETY: both have 4096 bytes.
  private static func areEqual(_ one: UnsafeRawBufferPointer, _ other: UnsafeRawBufferPointer)
    -> Bool
  {
    guard let left = one.baseAddress, let right = other.baseAddress else { return true }
    return unsafe memcmp(left, right, 4096) == 0
  }

  private static func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    unsafe bytes.bindMemory(to: UInt64.self).allSatisfy { $0 == 0 }
  }
}
