public import Paging

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The machine's one host-memory reservation: guest RAM and the tables hardware walks.
///
/// A host physical address is an offset into it, so equal runs give equal addresses. Pages are zero
/// until written and cost nothing until touched.
@safe
public final class HostMemory: Sendable {
  /// **Units** bytes; a multiple of 4096.
  public let byteCount: UInt64
  let base: Pointer
  /// What other than anonymous pages is behind the memory, ascending.
  let parts = Guarded<[HostPart]>([])
  /// What the memory is a copy-on-write mapping of, since its first snapshot.
  let origin = Guarded<HostOrigin?>(nil)

  /// A pointer that threads may share: all access goes through `HostView`, atomically for entries.
  @safe
  struct Pointer: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer
  }

  /// Reserves memory.
  ///
  /// - Parameters:
  ///   - byteCount: rounded up to whole pages.
  ///   - alignment: the largest page that is to back a part of it (`back(_:by:)`).
  /// - Throws: `HostMemoryError.unavailable` where the operating system refuses.
  public init(
    byteCount: UInt64, alignment: PageSize = .size4KiB
  ) throws(HostMemoryError) {
    let slack = alignment > .size4KiB ? Int(alignment.bytes) : 0
    guard byteCount > 0, byteCount <= UInt64(Int.max - slack) - 4096 else {
      throw .unavailable(byteCount: byteCount)
    }
    self.byteCount = (byteCount + 4095) & ~4095
    let count = Int(self.byteCount)
    // SAFETY: an anonymous private mapping of a checked size; released in deinit alone.
    let mapping = unsafe mmap(
      nil, count + slack, PROT_READ | PROT_WRITE,
      MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_NORESERVE), -1, 0)
    guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
      throw .unavailable(byteCount: byteCount)
    }
    let head = slack == 0 ? 0 : -Int(bitPattern: mapping) & (slack - 1)
    // SAFETY: both ends of the mapping just made, before and after what is kept.
    if head > 0 { unsafe munmap(mapping, head) }
    if head < slack { unsafe munmap(mapping + head + count, slack - head) }
    base = unsafe Pointer(raw: mapping + head)
  }

  deinit {
    // SAFETY: the mapping made in init; no view outlives its owner by contract.
    unsafe munmap(base.raw, Int(byteCount))
  }

  /// A handle for walks and accesses. **Requires** that the memory outlives it.
  public var view: HostView { unsafe HostView(base: base.raw, byteCount: byteCount) }
}
