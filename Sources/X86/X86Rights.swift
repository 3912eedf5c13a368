public import Paging

/// What x86 entries grant together: R/W and U/S ANDed, XD ORed.
///
/// XD is kept inverted, so one AND per level folds all three.
@frozen
public struct X86Rights: Hashable, Sendable {
  /// Bits 1 (R/W), 2 (U/S), 5 (A) and 63 (not XD) of all entries, ANDed; other bits mean nothing.
  public var granted: UInt64

  /// Wraps folded bits.
  @inlinable
  public init(granted: UInt64) { self.granted = granted }

  /// Bit 63: execute-disable in an entry, executable in `granted`.
  @inlinable
  public static var executeBit: UInt64 { 1 << 63 }
  /// Bit 1.
  @inlinable
  public static var writeBit: UInt64 { 1 << 1 }
  /// Bit 2.
  @inlinable
  public static var userBit: UInt64 { 1 << 2 }

  /// Whether writes are granted by R/W.
  @inlinable
  public var isWritable: Bool { granted & Self.writeBit != 0 }
  /// Whether the page is a user page: U/S=1 in every entry.
  @inlinable
  public var isUser: Bool { granted & Self.userBit != 0 }
  /// Whether no entry has XD.
  @inlinable
  public var isExecutable: Bool { granted & Self.executeBit != 0 }

  /// The rights as the formats share them; x86 entries that are present are readable.
  @inlinable
  public var permissions: Permissions {
    var result: Permissions = .read
    if isWritable { result.insert(.write) }
    if isUser { result.insert(.user) }
    if isExecutable { result.insert(.execute) }
    return result
  }
}
