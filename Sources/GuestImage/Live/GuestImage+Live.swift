import Paging
public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension GuestImage {
  /// The memory of a guest that runs under QEMU, as its memory backend's file holds it.
  ///
  /// The file is mapped shared and read-only. What the guest writes is seen at once, so two reads of
  /// one address may differ, and a walk may meet tables that are half changed; every check is made on
  /// the value that was read. What lies in no backend, or in another one (ROMs, devices), is not held.
  ///
  /// - Parameters:
  ///   - guest: what QEMU says of the guest.
  ///   - memory: the file of one of its memory backends.
  /// - Throws: `ImageError`: the file cannot be mapped, is of no backend, of one that QEMU does not
  ///   share, or smaller than the memory.
  public convenience init(of guest: QEMUGuest, memory: FilePath) throws(ImageError) {
    let bytes = try ImageBytes(memory, isShared: true)
    let backend = try guest.backend(of: memory)
    guard backend.isShared else { throw .backendNotShared(name: backend.name) }
    var contents = ImageContents()
    contents.vCPUs = guest.vCPUs
    contents.physicalAddressWidth = guest.physicalAddressWidth
    let names = [backend.name[...], "/objects/\(backend.name)"]
    for range in guest.view.ranges where range.isMemory && names.contains(range.region) {
      let number = contents.segments.count
      let start = GPA(range.first)
      guard range.first <= range.last else {
        throw .rangeReversed(number: number, start: start, end: GPA(range.last))
      }
      let (size, tooLong) = (range.last - range.first).addingReportingOverflow(1)
      guard !tooLong else {
        throw .segmentTooLong(number: number, gpa: start, size: range.last - range.first)
      }
      let (offset, outside) = range.offset.addingReportingOverflow(backend.offset)
      guard !outside else {
        throw .segmentCutShort(
          number: number, gpa: start, offset: range.offset, size: size,
          fileSize: UInt64(bytes.count))
      }
      contents.segments.append(
        ImageSegment(number: number, gpa: start, size: size, fileOffset: offset, fileSize: size))
    }
    try self.init(bytes, .raw(base: GPA(0)), contents, isLive: true)
  }
}

extension QEMUGuest {
  /// The backend that has a file: the same file, or, where QEMU names it in another way, the one
  /// whose path ends in the same name.
  func backend(of memory: FilePath) throws(ImageError) -> Backend {
    if let identity = Self.identity(memory.string),
      let same = backends.first(where: { Self.identity($0.path) == identity })
    {
      return same
    }
    // A relative path, or one of another mount namespace.
    let named = backends.filter {
      FilePath($0.path).lastComponent == memory.lastComponent && Self.identity($0.path) == nil
    }
    if named.count == 1 { return named[0] }
    throw .noSuchBackend(backends.map { "\($0.name) (\($0.path))" })
  }

  private static func identity(_ path: String) -> [UInt64]? {
    var status = stat()
    // SAFETY: `status` lives across the call, and the string is passed with its end.
    guard unsafe stat(path, &status) == 0 else { return nil }
    return [UInt64(truncatingIfNeeded: status.st_dev), UInt64(truncatingIfNeeded: status.st_ino)]
  }
}
