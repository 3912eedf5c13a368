public import Paging

/// Why a part of host memory does not get the backing that was asked for.
public enum HostMemoryBackingError: Error, Sendable, Hashable {
  /// The part does not lie in the reservation.
  case outside(HPA)
  /// The part, the file's offset or the reservation is not at a multiple of the backing's pages.
  case misaligned(HPA, PageSize)
  /// A part has its backing already, or snapshots were taken of it.
  case backedAlready(HPA)
  /// No regular file, or none that stays open.
  case unusableFile
  /// The file ends before the bytes that are to back memory. **Units** bytes.
  case fileTooShort(byteCount: UInt64, needed: UInt64)
  /// The system does not map the file. **Units** bytes.
  case unmappable(byteCount: UInt64)
  /// The system has not so many huge pages in store. **Units** pages.
  case noHugePages(PageSize, count: UInt64)
  /// The system has no transparent huge pages, or does not give them.
  case noTransparentHugePages
}

extension HostMemoryBackingError: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .outside(let hpa): "host address \(hpa) lies outside the machine's memory"
    case .misaligned(let hpa, let size):
      "host address \(hpa) is not at a multiple of the \(size) pages that are to back it"
    case .backedAlready(let hpa): "host memory at \(hpa) has its backing already"
    case .unusableFile: "the file cannot back memory (a regular file can)"
    case .fileTooShort(let count, let needed):
      "the file has \(count) bytes, where \(needed) are to back memory"
    case .unmappable(let count): "the system does not map \(count) bytes of the file"
    case .noHugePages(let size, let count):
      "the system has no \(count) huge page\(count == 1 ? "" : "s") of \(size) in store"
        + " (vm.nr_hugepages is to be larger)"
    case .noTransparentHugePages:
      "the system gives no transparent huge pages (transparent_hugepage/enabled is to be madvise)"
    }
  }
}
