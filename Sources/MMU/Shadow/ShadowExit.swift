public import Paging

/// An access that shadow tables did not let through, in the addresses of the tables that they shadow.
///
/// Where those are a processor's own, it is what the hardware reports: a page fault of its walk.
public struct ShadowExit<Input: AddressKind, Access: MemoryAccess>: Error {
  /// The address, without ignored bits; the linear one (CR2) where a processor's tables are shadowed.
  public let address: Address<Input>
  /// The linear address, where the hardware gives it.
  public let gva: GVA?
  /// What was asked.
  public let access: Access
  /// Whether the hardware tells what was asked; else `access` is the mildest.
  public let isAccessKnown: Bool
  /// The error code of the processor's fault, which is not the guest's.
  public let errorCode: UInt32
  /// Whether an entry had a reserved bit: the sign of an MMIO entry.
  public let isMalformed: Bool

  @inlinable  // PERF: fault.shadow
  init(
    address: Address<Input>, gva: GVA?, access: Access, isAccessKnown: Bool, errorCode: UInt32,
    isMalformed: Bool
  ) {
    self.address = address
    self.gva = gva
    self.access = access
    self.isAccessKnown = isAccessKnown
    self.errorCode = errorCode
    self.isMalformed = isMalformed
  }
}

extension ShadowExit where Input == GuestVirtual {
  /// A page fault of the processor's walk.
  @inlinable  // PERF: fault.shadow
  init(gva: GVA, access: Access, errorCode: UInt32, isMalformed: Bool) {
    self.init(
      address: gva, gva: gva, access: access, isAccessKnown: true, errorCode: errorCode,
      isMalformed: isMalformed)
  }
}

extension ShadowExit: CustomStringConvertible, MMUExit where Input == GuestVirtual {
  /// `shadow-page-fault`.
  public var cause: ExitCause { .shadowPageFault }

  /// One line: the address and the error code, bit by bit.
  public var description: String {
    let names = ["P", "W", "U", "RSVD", "I", "PK", "SS"]
    let set = names.indices.filter { errorCode >> UInt32($0) & 1 != 0 }.map { names[$0] }
    return "shadow page fault: GVA \(address), \(access.kind), error code 0x"
      + String(errorCode, radix: 16) + (set.isEmpty ? "" : " (\(set.joined(separator: " ")))")
  }
}
