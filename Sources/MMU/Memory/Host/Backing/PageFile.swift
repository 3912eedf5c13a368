import CPageFile

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A file that holds pages of host memory: one without a name, which is gone with its owner, or one that
/// somebody has opened.
public final class PageFile: Sendable {
  let descriptor: CInt
  /// The size when it was opened. **Units** bytes.
  public let byteCount: UInt64

  /// A file that is open; the caller's descriptor stays the caller's.
  ///
  /// - Throws: `HostMemoryBackingError.unusableFile` unless it is a regular file.
  public init(duplicating descriptor: CInt) throws(HostMemoryBackingError) {
    var status = stat()
    // SAFETY: `status` lives across the call.
    guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size >= 0
    else { throw .unusableFile }
    byteCount = UInt64(status.st_size)
    self.descriptor = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard self.descriptor >= 0 else { throw .unusableFile }
  }

  /// An empty file; its holes read as zeros.
  init(byteCount: UInt64) throws(SnapshotError) {
    let descriptor = cpagefile_open()
    guard descriptor >= 0 else { throw .unavailable(byteCount: byteCount) }
    self.descriptor = descriptor
    self.byteCount = byteCount
    guard ftruncate(descriptor, off_t(clamping: byteCount)) == 0 else {
      throw .unavailable(byteCount: byteCount)
    }
  }

  deinit { close(descriptor) }

  /// Writes bytes at an offset.
  ///
  /// - Throws: `SnapshotError.unavailable` where the system has no memory for them.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(SnapshotError) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      // SAFETY: the rest of the caller's buffer.
      let count = unsafe pwrite(
        descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
      guard count > 0 else { throw .unavailable(byteCount: UInt64(bytes.count)) }
      done += count
    }
  }

  /// Reads bytes from an offset; what lies past the end reads as zeros.
  func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: UInt64) {
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      // SAFETY: the rest of the caller's buffer.
      let count = unsafe pread(
        descriptor, base + done, bytes.count - done, off_t(offset) + off_t(done))
      guard count > 0 else {
        _ = unsafe (base + done).initializeMemory(
          as: UInt8.self, repeating: 0, count: bytes.count - done)
        return
      }
      done += count
    }
  }
}
