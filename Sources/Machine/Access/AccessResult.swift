public import Paging

/// How an access ended, in a few registers.
///
/// All that a report says of an access that the TLB answered; of others the vCPU keeps the report
/// until its next access (`VCPUState.report(on:)`).
@frozen
public struct AccessResult: Sendable, BitwiseCopyable {
  // PERF: tlb.hit; plain bits, so that a loop keeps them in registers where a report goes through
  // memory.

  /// The value read or written; 0 unless the access is done.
  public let value: UInt128
  @usableFromInline let guestAddress: GPA
  @usableFromInline let hostAddress: HPA
  /// **Bits** 0 done, 1 answered by the TLB alone, 2 and 3 the guest and the host address are known.
  @usableFromInline let flags: UInt8

  @inlinable
  init(value: UInt128, gpa: GPA?, hpa: HPA?, isDone: Bool, isTLBAlone: Bool) {
    self.value = value
    guestAddress = gpa ?? GPA(0)
    hostAddress = hpa ?? HPA(0)
    flags =
      (isDone ? 1 : 0) | (isTLBAlone ? 2 : 0) | (gpa == nil ? 0 : 4) | (hpa == nil ? 0 : 8)
  }

  /// Whether the bytes were moved; otherwise the report says why not.
  @inlinable
  public var isDone: Bool { flags & 1 != 0 }
  /// Whether the TLB answered alone, so that there was no exit, and no device.
  @inlinable
  public var isTLBAlone: Bool { flags & 2 != 0 }
  /// The guest physical address of the first byte, where one was found.
  @inlinable
  public var gpa: GPA? { flags & 4 == 0 ? nil : guestAddress }
  /// The host address of the first byte; `nil` for MMIO.
  @inlinable
  public var hpa: HPA? { flags & 8 == 0 ? nil : hostAddress }
}
