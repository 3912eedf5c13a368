public import Paging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension HostMemory {
  /// Puts something else behind a part of the memory that nobody has used yet. **Requires** that nobody
  /// uses the part meanwhile.
  ///
  /// The largest page of a memslot there follows (`GuestMemory.update`).
  ///
  /// - Parameters:
  ///   - range: whole pages of the backing's size.
  ///   - backing: what is to be behind it.
  /// - Throws: `HostMemoryBackingError`: a range that is misaligned, outside or backed already, a file that
  ///   ends before its last byte, huge pages that the system has not got.
  public func back(_ range: Range<HPA>, by backing: HostMemoryBacking)
    throws(HostMemoryBackingError)
  {
    let bytes = range.lowerBound.rawValue..<range.upperBound.rawValue
    guard !bytes.isEmpty else { return }
    guard bytes.upperBound <= byteCount else { throw .outside(range.upperBound) }
    let size = backing.pageSize
    // What the processor maps large is aligned as the process sees it, not as the reservation counts.
    guard bytes.lowerBound & size.offsetMask == 0, bytes.upperBound & size.offsetMask == 0,
      unsafe UInt64(UInt(bitPattern: base.raw)) & size.offsetMask == 0
    else { throw .misaligned(range.lowerBound, size) }
    guard origin.withLock({ $0 }) == nil,
      parts.withLock({ $0.parts(in: bytes).isEmpty })
    else { throw .backedAlready(range.lowerBound) }
    switch backing {
    case .file(let file, let offset):
      guard offset & 0xFFF == 0 else { throw .misaligned(HPA(offset), .size4KiB) }
      let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
      guard !overflow, end <= file.byteCount else {
        throw .fileTooShort(byteCount: file.byteCount, needed: overflow ? .max : end)
      }
      guard map(file, from: offset, over: bytes) else {
        throw .unmappable(byteCount: UInt64(bytes.count))
      }
    case .hugePages(let size): try mapHugePages(size, over: bytes)
    case .transparentHugePages: try adviseHugePages(over: bytes)
    }
    parts.withLock { parts in
      parts.insert(
        HostPart(range: bytes, backing: backing),
        at: parts.index(endingAfter: bytes.lowerBound))
    }
  }

  /// Whether something other than anonymous pages is behind some part.
  var hasBacking: Bool { parts.withLock { !$0.isEmpty } }

  /// The largest page that the host's own tables map all of a range with; `nil` where anonymous pages
  /// alone are behind it, whose size is its owner's word.
  public func largestPage(behind range: Range<HPA>) -> PageSize? {
    let bytes = range.lowerBound.rawValue..<range.upperBound.rawValue
    return parts.withLock { parts in
      parts.parts(in: bytes).lazy.map(\.backing.pageSize).min()
    }
  }

  /// Maps a file copy-on-write over whole pages of the memory.
  ///
  /// - Returns: false where the system refuses.
  func map(_ file: PageFile, from offset: UInt64, over bytes: Range<UInt64>) -> Bool {
    // SAFETY: replaces pages of the mapping made in init, and nothing else.
    let place = unsafe mmap(
      base.raw + Int(bytes.lowerBound), bytes.count, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_FIXED | Int32(MAP_NORESERVE), file.descriptor, off_t(offset))
    return unsafe place != MAP_FAILED
  }

  private func mapHugePages(_ size: PageSize, over bytes: Range<UInt64>)
    throws(HostMemoryBackingError)
  {
    let missing = HostMemoryBackingError.noHugePages(
      size, count: UInt64(bytes.count) >> UInt64(size.shift))
    #if os(Linux)
    guard size > .size4KiB else { throw missing }
    // The size's logarithm stands in bits 31:26; without MAP_NORESERVE, so that what the store lacks is
    // refused here and is no signal later.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_HUGETLB | Int32(size.shift) << 26
    let start = unsafe base.raw + Int(bytes.lowerBound)
    // SAFETY: as in `map`.
    let place = unsafe mmap(start, bytes.count, PROT_READ | PROT_WRITE, flags, -1, 0)
    if unsafe place != MAP_FAILED { return }
    // A refusal may have taken the pages away that were there.
    // SAFETY: as in `map`.
    _ = unsafe mmap(
      start, bytes.count, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | Int32(MAP_NORESERVE), -1, 0)
    #endif
    throw missing
  }

  private func adviseHugePages(over bytes: Range<UInt64>) throws(HostMemoryBackingError) {
    #if os(Linux)
    let setting = unsafe open(
      "/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY | O_CLOEXEC)
    guard setting >= 0 else { throw .noTransparentHugePages }
    defer { close(setting) }
    var text = [UInt8](repeating: 0, count: 64)
    // SAFETY: the array holds as many bytes.
    let count = unsafe text.withUnsafeMutableBytes {
      unsafe read(setting, $0.baseAddress, $0.count)
    }
    // SAFETY: pages of the mapping, and advice changes no byte.
    guard count > 0, !String(decoding: text.prefix(count), as: UTF8.self).contains("[never]"),
      unsafe madvise(base.raw + Int(bytes.lowerBound), bytes.count, MADV_HUGEPAGE) == 0
    else { throw .noTransparentHugePages }
    #else
    throw .noTransparentHugePages
    #endif
  }
}
