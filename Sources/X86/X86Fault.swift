public import Paging

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
