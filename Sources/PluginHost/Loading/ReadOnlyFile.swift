internal import Glibc

/// A regular file that is read at places.
final class ReadOnlyFile {
  /// **Units** bytes.
  let size: UInt64
  private let descriptor: Int32

  init(path: String) throws(PluginError) {
    // Not blocking: a FIFO must be refused, not waited for.
    let opened = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    var status = stat()
    guard opened >= 0, unsafe fstat(opened, &status) == 0 else {
      let reason = unsafe String(cString: strerror(errno))
      if opened >= 0 { close(opened) }
      throw PluginError.unreadable(path: path, reason: reason)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(opened)
      throw PluginError.unreadable(path: path, reason: "not a regular file")
    }
    descriptor = opened
    size = UInt64(max(status.st_size, 0))
  }

  deinit { close(descriptor) }

  /// A value as it stands in the file, or `nil` where the file ends before.
  func read<T: BitwiseCopyable>(at offset: UInt64) -> T? {
    let count = MemoryLayout<T>.size
    guard offset <= size, UInt64(count) <= size - offset else { return nil }
    return unsafe withUnsafeTemporaryAllocation(of: T.self, capacity: 1) { buffer in
      guard let base = buffer.baseAddress,
        unsafe pread(descriptor, base, count, off_t(offset)) == count
      else { return nil }
      // SAFETY: pread has written all bytes of a type for which every pattern is a value.
      return unsafe base.pointee
    }
  }
}
