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
