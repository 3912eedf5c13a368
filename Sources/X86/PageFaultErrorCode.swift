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
