public import Paging

/// A page fault of the processor's own walk of shadow tables: the exit of shadow paging.
public struct ShadowExit<Access: MemoryAccess>: MMUExit {
  /// The linear address, without ignored bits (CR2).
  public let gva: GVA
  /// What was asked.
  public let access: Access
  /// The error code of the processor's fault, which is not the guest's.
  public let errorCode: UInt32
  /// Whether an entry had a reserved bit: the sign of an MMIO entry.
  public let isMalformed: Bool

  @usableFromInline
  init(gva: GVA, access: Access, errorCode: UInt32, isMalformed: Bool) {
    self.gva = gva
    self.access = access
    self.errorCode = errorCode
    self.isMalformed = isMalformed
  }

  /// `shadow-page-fault`.
  public var cause: ExitCause { .shadowPageFault }

  /// One line: the address and the error code, bit by bit.
  public var description: String {
    let names = ["P", "W", "U", "RSVD", "I", "PK", "SS"]
    let set = names.indices.filter { errorCode >> UInt32($0) & 1 != 0 }.map { names[$0] }
    return "shadow page fault: GVA \(gva), \(access.kind), error code 0x"
      + String(errorCode, radix: 16) + (set.isEmpty ? "" : " (\(set.joined(separator: " ")))")
  }
}
