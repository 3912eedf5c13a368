#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Which pages of a private mapping the process has written, as far as the system tells.
///
/// **Source** Linux, "pagemap, from the userspace perspective".
enum PrivatePages {
  /// Runs of pages, counted from the mapping's first, outside of which every page is as it was mapped.
  ///
  /// Where the system does not tell, that is one run of all pages.
  ///
  /// - Parameter pageCount: **Units** pages of 4 KiB.
  static func runs(from base: UnsafeRawPointer, pageCount: UInt64) -> [Range<UInt64>] {
    let everything = [0..<pageCount]
    let file = unsafe open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)
    guard file >= 0, getpagesize() == 4096 else { return everything }
    defer { close(file) }
    let first = UInt64(UInt(bitPattern: base)) / 4096
    var runs: [Range<UInt64>] = []
    var words = [UInt64](repeating: 0, count: 8192)
    var page: UInt64 = 0
    while page < pageCount {
      let wanted = Int(min(UInt64(words.count), pageCount - page)) * 8
      // SAFETY: the array holds `wanted` bytes.
      let count = unsafe words.withUnsafeMutableBytes { buffer in
        unsafe pread(file, buffer.baseAddress, wanted, off_t((first + page) * 8))
      }
      guard count == wanted else { return everything }
      for word in words[..<(wanted / 8)] {
        if isPrivate(word) {
          if let last = runs.last, last.upperBound == page {
            runs[runs.count - 1] = last.lowerBound..<(page + 1)
          } else {
            runs.append(page..<(page + 1))
          }
        }
        page += 1
      }
    }
    return runs
  }

  /// Present (bit 63) or swapped out (62), and not of a file (61).
  private static func isPrivate(_ word: UInt64) -> Bool { word >> 62 != 0 && word >> 61 & 1 == 0 }
}
