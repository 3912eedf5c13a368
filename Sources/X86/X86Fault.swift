public import Paging

/// The error code of a page fault.
///
/// **Source** Intel SDM Vol. 3A, "Page-Fault Exceptions"; AMD APM Vol. 2, "Page-Fault Exception".
@frozen
public struct PageFaultErrorCode: OptionSet, Hashable, Sendable {
  /// The code as the processor pushes it.
  public let rawValue: UInt32
  /// Takes the code as it is.
  @inlinable
  public init(rawValue: UInt32) { self.rawValue = rawValue }
  /// Bit 0, `P`: the translation was there and refused, or had reserved bits.
  @inlinable
  public static var present: Self { Self(rawValue: 1) }
  /// Bit 1, `W`: a write.
  @inlinable
  public static var write: Self { Self(rawValue: 2) }
  /// Bit 2, `U`: a user-mode access.
  @inlinable
  public static var user: Self { Self(rawValue: 4) }
  /// Bit 3, `RSVD`: a reserved bit was set.
  @inlinable
  public static var reserved: Self { Self(rawValue: 8) }
  /// Bit 4, `I`: an instruction fetch.
  @inlinable
  public static var fetch: Self { Self(rawValue: 16) }
  /// Bit 5, `PK`: a protection key denies.
  @inlinable
  public static var protectionKey: Self { Self(rawValue: 32) }
  /// Bit 6, `SS`: a shadow-stack access.
  @inlinable
  public static var shadowStack: Self { Self(rawValue: 64) }
}

/// An exception that a failed translation raises in the guest.
@frozen
public struct X86Fault: VectoredFault, Hashable, Sendable {
  /// 14 for a page fault, 13 (12 on the stack) for a bad address.
  public let vector: UInt8
  /// The error code; 0 for vectors 12 and 13.
  public let errorCode: PageFaultErrorCode
  /// The address that goes to CR2 on a page fault.
  public let address: GVA
  /// Why.
  public let cause: FaultCause
  /// The level of the entry that ended the walk.
  public let level: Level

  /// An exception.
  @inlinable
  public init(
    vector: UInt8, errorCode: PageFaultErrorCode, address: GVA, cause: FaultCause, level: Level
  ) {
    self.vector = vector
    self.errorCode = errorCode
    self.address = address
    self.cause = cause
    self.level = level
  }

  /// The vector of a page fault.
  @inlinable
  public static var pageFaultVector: UInt8 { 14 }
  /// The vector of a general-protection fault.
  @inlinable
  public static var generalProtectionVector: UInt8 { 13 }
  /// The vector of a stack fault.
  @inlinable
  public static var stackFaultVector: UInt8 { 12 }
}
