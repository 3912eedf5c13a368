public import Paging
public import X86

/// The exit that nested paging causes (exit code 0x400).
@frozen
public struct NestedPageFault: Error, Hashable, Sendable {
  /// EXITINFO1.
  public let info: NPTExitInfo
  /// EXITINFO2: the guest physical address. The processor gives no linear address.
  public let gpa: GPA

  /// A nested page fault.
  @inlinable
  public init(info: NPTExitInfo, gpa: GPA) {
    self.info = info
    self.gpa = gpa
  }

  /// The fault that two words of a VMCB tell.
  @inlinable
  public init(exitInfo1: UInt64, exitInfo2: UInt64) {
    self.init(info: NPTExitInfo(rawValue: exitInfo1), gpa: GPA(exitInfo2))
  }

  /// EXITINFO2 as the processor writes it.
  @inlinable
  public var exitInfo2: UInt64 { gpa.rawValue }
}

extension NestedPageFault: SecondLevelExit {
  /// `nested-page-fault`, malformed entry or not.
  @inlinable
  public var cause: ExitCause { .nestedPageFault }
  /// Never there.
  @inlinable
  public var gva: GVA? { nil }
  /// What has to be let through.
  @inlinable
  public var kind: AccessKind { info.kind }
  /// The processor tells of itself, not of the guest: U is always 1.
  @inlinable
  public var isUser: Bool { false }
  /// Whether a reserved bit ended the walk.
  @inlinable
  public var isMalformed: Bool { info.errorCode.contains(.reserved) }
  /// Bit 33.
  @inlinable
  public var isTableAccess: Bool { info.rawValue & NPTExitInfo.tableBit != 0 }

  /// One line: the address, and EXITINFO1 in words.
  public var description: String {
    let code = info.errorCode
    let why =
      code.contains(.reserved)
      ? "reserved bit" : code.contains(.present) ? "refused by rights" : "not present"
    let target = isTableAccess ? "a table entry of a walk" : "the page of a GVA"
    return "nested page fault: GPA \(gpa), \(kind) of \(target), \(why),"
      + " EXITINFO1 0x\(String(info.rawValue, radix: 16))"
  }
}
