public import Paging
public import SystemPackage

extension GuestImage {
  /// One byte of guest memory, or `nil` where the image does not hold it.
  public func byte(at gpa: GPA) -> UInt8? {
    guard let segment = table.find(gpa.rawValue) else { return nil }
    let offset = gpa.rawValue &- segment.start
    guard offset < segment.backed else { return 0 }
    // SAFETY: within the segment's bytes, which lie in the file.
    return unsafe start.load(fromByteOffset: Int(segment.offset &+ offset), as: UInt8.self)
  }

  /// Whether the image holds an address.
  public func holds(_ gpa: GPA) -> Bool { table.find(gpa.rawValue) != nil }

  /// Reads guest memory into the given bytes, across segments that touch.
  ///
  /// - Returns: success, or the first address that is not held; the bytes before it are filled.
  public func read(_ gpa: GPA, into destination: inout MutableRawSpan) -> Result<Void, ImageHole> {
    var filled = 0
    while filled < destination.byteCount {
      let address = gpa.wrappingAdd(UInt64(filled))
      guard let segment = table.find(address.rawValue) else { return .failure(ImageHole(address)) }
      let offset = address.rawValue &- segment.start
      let left = UInt64(destination.byteCount - filled)
      let count = Int(min(left, segment.size &- offset))
      let backed = offset < segment.backed ? Int(min(UInt64(count), segment.backed &- offset)) : 0
      // SAFETY: filled + count is at most the destination's size, and the `backed` bytes lie in the
      // file; the rest of the segment's bytes are zeros.
      unsafe destination.withUnsafeMutableBytes { target in
        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: target[filled..<filled + count])
        if backed > 0 {
          unsafe part.copyMemory(
            from: UnsafeRawBufferPointer(
              start: start + Int(segment.offset &+ offset), count: backed))
        }
        for index in backed..<count { unsafe part[index] = 0 }
      }
      filled += count
    }
    return .success(())
  }

  /// Reads guest memory.
  ///
  /// - Parameters:
  ///   - gpa: the guest physical address.
  ///   - count: **Units** bytes; memory for as many is allocated.
  /// - Returns: the bytes, or the first address that is not held.
  public func read(_ gpa: GPA, count: Int) -> Result<[UInt8], ImageHole> {
    var bytes = [UInt8](repeating: 0, count: max(count, 0))
    var span = bytes.mutableSpan
    // SAFETY: every byte is a UInt8.
    var destination = unsafe span.mutableBytes
    let outcome = read(gpa, into: &destination)
    return outcome.map { bytes }
  }

  /// Lends the file that holds the segments' bytes at their `fileOffset`, open for reading.
  ///
  /// - Returns: `nil` where no file holds the bytes as they are (AVML, kdump, a copy of bytes) or others
  ///   write it meanwhile (a running guest); a guest inside the imaged one has none of its own either.
  public func withFile<Answer, Failure: Error>(
    _ body: (FileDescriptor) throws(Failure) -> Answer
  ) throws(Failure) -> Answer? {
    guard inner == nil, let file = bytes.file else { return nil }
    return try body(file)
  }

  /// Lends the bytes of a segment that the file holds; what lies after them reads as zeros.
  public func withFileBytes<Answer, Failure: Error>(
    of segment: ImageSegment, _ body: (borrowing RawSpan) throws(Failure) -> Answer
  ) throws(Failure) -> Answer {
    guard bytes.holds(offset: segment.fileOffset, size: segment.fileSize) else {
      return try body(RawSpan())
    }
    // SAFETY: range checked; the span cannot outlive this call, nor this object end within it.
    let buffer = unsafe UnsafeRawBufferPointer(
      start: start + Int(segment.fileOffset), count: Int(segment.fileSize))
    return try unsafe body(buffer.bytes)
  }
}
