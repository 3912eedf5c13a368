public import Paging
public import X86

/// EXITINFO1 of a nested page fault: a page-fault error code, and what was being translated.
///
/// **Source** AMD APM Vol. 2, "Nested versus Guest Page Faults, Fault Ordering".
@frozen
public struct NPTExitInfo: RawRepresentable, Hashable, Sendable {
  /// The word as the processor writes it.
  public let rawValue: UInt64
  /// Takes the word as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Builds the word (SPEC E12).
  @inlinable
  public init(_ access: NPTAccess, _ cause: FaultCause) {
    // Every access to nested tables is a user access.
    var code: PageFaultErrorCode = .user
    if access.kind == .write { code.insert(.write) }
    if access.kind == .fetch { code.insert(.fetch) }
    switch cause {
    case .reservedBit: code.formUnion([.present, .reserved])
    case .permission: code.insert(.present)
    case .notPresent, .nonCanonical, .forbiddenAddress: break
    }
    rawValue = UInt64(code.rawValue) | (access.isFinal ? Self.finalBit : Self.tableBit)
  }

  /// Bit 32: the final guest physical address was being translated.
  @inlinable
  public static var finalBit: UInt64 { 1 << 32 }
  /// Bit 33: the address of a guest's table entry was being translated.
  @inlinable
  public static var tableBit: UInt64 { 1 << 33 }

  /// Bits 31:0.
  @inlinable
  public var errorCode: PageFaultErrorCode {
    PageFaultErrorCode(rawValue: UInt32(truncatingIfNeeded: rawValue))
  }

  /// The access, or `nil` for a word that no modelled nested page fault has: a supervisor access,
  /// bits 32 and 33 alike, a write that fetches, a table access that does not write, other bits.
  public var access: NPTAccess? {
    let isFinal = rawValue & Self.finalBit != 0
    let isWrite = errorCode.contains(.write)
    guard rawValue & ~(Self.finalBit | Self.tableBit | 0x1F) == 0,
      isFinal != (rawValue & Self.tableBit != 0), errorCode.contains(.user),
      !(isWrite && errorCode.contains(.fetch)), isFinal || isWrite
    else { return nil }
    return NPTAccess(kind, isFinal: isFinal)
  }

  /// Why the walk ended, or `nil` where a reserved bit is told of an entry that is not present.
  public var cause: FaultCause? {
    switch (errorCode.contains(.present), errorCode.contains(.reserved)) {
    case (true, true): .reservedBit
    case (true, false): .permission
    case (false, false): .notPresent
    case (false, true): nil
    }
  }

  /// The kind of access that the exit handler has to let through.
  @inlinable
  public var kind: AccessKind {
    errorCode.contains(.fetch) ? .fetch : errorCode.contains(.write) ? .write : .read
  }
}

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
