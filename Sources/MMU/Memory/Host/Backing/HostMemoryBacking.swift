public import Paging

/// What is behind a part of host memory, in the place of anonymous pages.
public enum HostMemoryBacking: Sendable {
  /// A file's bytes from an offset on, copy-on-write: the file is never changed. Whether what others
  /// write to the file meanwhile is seen in pages that nobody wrote is not defined.
  ///
  /// A page whose bytes the file has lost since, because somebody made it shorter, cannot be touched
  /// any more (SIGBUS), as with any mapping.
  case file(PageFile, offset: UInt64)
  /// Huge pages that the system keeps in store (hugetlb), 2 MiB or 1 GiB.
  case hugePages(PageSize)
  /// Huge pages that the system puts together as it can (THP), 2 MiB.
  case transparentHugePages

  /// The largest page that the host's own tables map it with, so that nobody's second level maps it
  /// larger (SPEC F11).
  public var pageSize: PageSize {
    switch self {
    case .file: .size4KiB
    case .hugePages(let size): size
    case .transparentHugePages: .size2MiB
    }
  }
}
