#if os(Linux) && arch(x86_64)
import Glibc

/// Zeroed pages of this process that a virtual machine can have as memory.
@safe
package final class KVMPages {
  private let bytes: UnsafeMutableRawBufferPointer

  /// - Parameter byteCount: a multiple of 4 KiB.
  /// - Throws: `KVMError` where the system has no such memory.
  package init(byteCount: Int) throws(KVMError) {
    let start = unsafe mmap(
      nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    guard let start = unsafe start, unsafe start != MAP_FAILED else {
      throw KVMError("no \(byteCount) bytes of memory are free")
    }
    // A page of the host's a page of the guest's: what is timed or compared is the second level.
    _ = unsafe madvise(start, byteCount, MADV_NOHUGEPAGE)
    unsafe bytes = unsafe UnsafeMutableRawBufferPointer(start: start, count: byteCount)
  }

  deinit { unsafe munmap(bytes.baseAddress, bytes.count) }

  /// **Units** bytes.
  package var byteCount: Int { unsafe bytes.count }

  /// Where a byte lies in this process; the pages must outlive whoever is told.
  package func hostAddress(of offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset < byteCount)
    return UInt64(UInt(bitPattern: unsafe bytes.baseAddress)) + UInt64(offset)
  }

  /// A byte.
  package subscript(offset: Int) -> UInt8 {
    get { unsafe bytes.load(fromByteOffset: offset, as: UInt8.self) }
    set { unsafe bytes.storeBytes(of: newValue, toByteOffset: offset, as: UInt8.self) }
  }

  /// Eight bytes as a number. **Requires** that they lie inside.
  package func word(at offset: Int) -> UInt64 {
    precondition(offset >= 0 && offset + 8 <= byteCount)
    return unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
  }

  /// Writes eight bytes. **Requires** that they lie inside.
  package func set(_ word: UInt64, at offset: Int) {
    precondition(offset >= 0 && offset + 8 <= byteCount)
    unsafe bytes.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
  }

  /// Writes bytes. **Requires** that they lie inside.
  package func set(_ code: [UInt8], at offset: Int) {
    precondition(offset >= 0 && offset + code.count <= byteCount)
    for (index, byte) in code.enumerated() { self[offset + index] = byte }
  }

  /// Zeroes a page. **Requires** that it lies inside.
  package func clear(page offset: Int) {
    precondition(offset >= 0 && offset + 4096 <= byteCount)
    unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + 4096])
      .initializeMemory(as: UInt8.self, repeating: 0)
  }
}
#endif
