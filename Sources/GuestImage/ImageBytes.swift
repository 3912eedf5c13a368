import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The bytes of an image: a file mapped read-only, or a copy of bytes in memory; never empty.
///
/// Pages of a mapped file are read on first touch, so a file larger than memory works. A file that
/// somebody shortens while it is mapped ends the process (SIGBUS), as with any mapping; `mmu` ends in one
/// line.
@safe
final class ImageBytes: @unchecked Sendable {
  // SAFETY (Sendable): the bytes are never written here after `init` and live until `deinit`. The
  // memory of a running guest changes under its readers, who check what they have loaded.
  let start: UnsafeRawPointer
  let count: Int
  private let isMapped: Bool
  /// The file that is mapped, for whoever maps it elsewhere too; `nil` for a copy, and for a file that
  /// others write meanwhile.
  let file: FileDescriptor?

  /// Maps a file.
  ///
  /// - Parameter isShared: whether somebody else writes the file meanwhile, which is to be seen.
  init(_ path: FilePath, isShared: Bool = false) throws(ImageError) {
    let descriptor: FileDescriptor
    do {
      // Without waiting: a FIFO is refused below, not waited for.
      descriptor = try FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
    } catch {
      throw .unusableFile("cannot be opened: \(error)")
    }
    var isKept = false
    defer { if !isKept { try? descriptor.close() } }
    var status = stat()
    // SAFETY: `status` lives across the call.
    guard unsafe fstat(descriptor.rawValue, &status) == 0 else {
      throw .unusableFile("cannot be examined: \(Errno(rawValue: errno))")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notRegular }
    guard status.st_size > 0 else { throw .empty }
    count = Int(status.st_size)
    // SAFETY: a fresh mapping of the whole file, checked before use, unmapped in `deinit`.
    let mapping = unsafe mmap(
      nil, count, PROT_READ, isShared ? MAP_SHARED : MAP_PRIVATE, descriptor.rawValue, 0)
    guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
      throw .unusableFile("cannot be mapped: \(Errno(rawValue: errno))")
    }
    unsafe start = UnsafeRawPointer(mapping)
    isMapped = true
    isKept = !isShared
    file = isKept ? descriptor : nil
  }

  /// Bytes that are filled in once.
  ///
  /// - Parameters:
  ///   - count: **Units** bytes, zeros until filled; pages that are not written take no memory.
  ///   - fill: writes them.
  init(
    count: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(ImageError) -> Void
  ) throws(ImageError) {
    guard count > 0 else { throw .empty }
    self.count = count
    // SAFETY: a fresh mapping, checked before use, unmapped in `deinit`.
    let mapping = unsafe mmap(
      nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
      throw .unusableFile("no memory for \(count) bytes: \(Errno(rawValue: errno))")
    }
    unsafe start = UnsafeRawPointer(mapping)
    isMapped = true
    file = nil
    try unsafe fill(UnsafeMutableRawBufferPointer(start: mapping, count: count))
  }

  /// Copies bytes.
  init(_ bytes: borrowing RawSpan) throws(ImageError) {
    guard bytes.byteCount > 0 else { throw .empty }
    count = bytes.byteCount
    // SAFETY: allocated here with `count` bytes, filled at once, freed in `deinit`.
    let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
    unsafe bytes.withUnsafeBytes { source in unsafe copy.copyMemory(from: source) }
    guard let address = copy.baseAddress else { throw .empty }
    unsafe start = UnsafeRawPointer(address)
    isMapped = false
    file = nil
  }

  deinit {
    try? file?.close()
    // SAFETY: what `init` mapped or allocated, released once.
    if isMapped {
      unsafe munmap(UnsafeMutableRawPointer(mutating: start), count)
    } else {
      unsafe start.deallocate()
    }
  }

  /// Whether the bytes lie in the file.
  func holds(offset: UInt64, size: UInt64) -> Bool {
    let (end, overflow) = offset.addingReportingOverflow(size)
    return !overflow && end <= UInt64(count)
  }

  /// One structure of plain bytes at any alignment, or `nil` unless it lies in the file.
  func load<Value: BitwiseCopyable>(_ type: Value.Type, at offset: UInt64) -> Value? {
    guard holds(offset: offset, size: UInt64(MemoryLayout<Value>.size)) else { return nil }
    // SAFETY: range checked; every pattern of bytes is a value of the C structures and integers read.
    return unsafe start.loadUnaligned(fromByteOffset: Int(offset), as: Value.self)
  }

  /// A copy of some bytes. **Requires** that they lie in the file.
  func copy(offset: UInt64, count: Int) -> [UInt8] {
    precondition(count >= 0 && holds(offset: offset, size: UInt64(count)))
    // SAFETY: range checked, and the bytes live as long as this.
    return unsafe [UInt8](UnsafeRawBufferPointer(start: start + Int(offset), count: count))
  }

  /// Whether the file begins with the bytes.
  func starts(with magic: [UInt8]) -> Bool {
    magic.indices.allSatisfy { load(UInt8.self, at: UInt64($0)) == magic[$0] }
  }
}
