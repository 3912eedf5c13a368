import Paging

/// What a reader found in a file, before the segments are checked against each other.
struct ImageContents {
  var segments: [ImageSegment] = []
  var vCPUs: [VCPUState] = []
  var machine: UInt16?
  var physicalAddressWidth: Int?

  init() {}

  /// One segment that is the whole file.
  init(raw bytes: borrowing ImageBytes, base: GPA) throws(ImageError) {
    let size = UInt64(bytes.count)
    segments = [
      ImageSegment(number: 0, gpa: base, size: size, fileOffset: 0, fileSize: size)
    ]
  }

  /// The segments by ascending address.
  ///
  /// - Throws: `ImageError` where one does not lie in the file or in the address space, where two
  ///   overlap, or where there is none.
  func checkedSegments(fileSize: UInt64) throws(ImageError) -> [ImageSegment] {
    guard !segments.isEmpty else { throw .noSegments }
    for segment in segments {
      guard segment.fileSize <= segment.size else {
        throw .segmentOverfull(
          number: segment.number, gpa: segment.gpa, fileSize: segment.fileSize, size: segment.size)
      }
      guard segment.gpa.adding(segment.size) != nil else {
        throw .segmentTooLong(number: segment.number, gpa: segment.gpa, size: segment.size)
      }
      let (end, overflow) = segment.fileOffset.addingReportingOverflow(segment.fileSize)
      guard !overflow, end <= fileSize else {
        throw .segmentCutShort(
          number: segment.number, gpa: segment.gpa, offset: segment.fileOffset,
          size: segment.fileSize, fileSize: fileSize)
      }
    }
    let sorted = segments.sorted { ($0.gpa, $0.number) < ($1.gpa, $1.number) }
    for index in sorted.indices.dropFirst() where sorted[index].gpa < sorted[index - 1].end {
      throw .segmentsOverlap(
        first: sorted[index - 1].number, second: sorted[index].number, gpa: sorted[index].gpa)
    }
    return sorted
  }
}
