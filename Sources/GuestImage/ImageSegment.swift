public import Paging

/// A run of guest memory that an image holds.
public struct ImageSegment: Hashable, Sendable {
  /// The number of the segment in the file's own order, from 0; other program headers count.
  public let number: Int
  /// The first byte.
  public let gpa: GPA
  /// **Units** bytes; never 0. `gpa` + `size` does not pass 2^64.
  public let size: UInt64
  /// Where the first byte is in the file; at any alignment.
  public let fileOffset: UInt64
  /// How many bytes the file holds; the rest up to `size` reads as zeros.
  public let fileSize: UInt64

  /// The first address after the segment.
  public var end: GPA { gpa.wrappingAdd(size) }
}
