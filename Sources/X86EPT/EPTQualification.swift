public import Paging

/// The exit qualification of an EPT violation.
///
/// **Source** Intel SDM Vol. 3C, "Exit Qualification for EPT Violations".
@frozen
public struct EPTQualification: RawRepresentable, Hashable, Sendable {
  /// The qualification as the processor writes it.
  public let rawValue: UInt64
  /// Takes the qualification as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Builds a qualification (SPEC E14).
  ///
  /// - Parameters:
  ///   - access: the access that was refused.
  ///   - rights: what the entries granted, the one that ended the walk included.
  @inlinable
  public init(_ access: EPTAccess, rights: EPTRights) {
    var raw = UInt64(access.reported & 7) | (rights.granted & 7) &<< 3
    raw |= (rights.granted &>> 10 & 1) &<< 6
    if access.gva != nil {
      raw |= 1 &<< 7
      if access.isFinal { raw |= 1 &<< 8 }
    }
    rawValue = raw
  }

  /// Bit 0: a data read.
  public var isRead: Bool { rawValue & 1 != 0 }
  /// Bit 1: a data write.
  public var isWrite: Bool { rawValue & 2 != 0 }
  /// Bit 2: an instruction fetch.
  public var isFetch: Bool { rawValue & 4 != 0 }
  /// Bits 5:3: what the entries grant.
  public var permissions: Permissions {
    var result: Permissions = []
    if rawValue & 8 != 0 { result.insert(.read) }
    if rawValue & 16 != 0 { result.insert(.write) }
    if rawValue & 32 != 0 { result.insert(.execute) }
    return result
  }
  /// Bit 7: the guest-linear-address field is valid.
  public var isGVAValid: Bool { rawValue & 1 << 7 != 0 }
  /// Bit 8: the access is to the translated address, not to a table entry.
  @inlinable
  public var isFinal: Bool { rawValue & 1 << 8 != 0 }

  /// The kind of access that the exit handler has to let through.
  @inlinable
  public var kind: AccessKind {
    rawValue & 4 != 0 ? .fetch : rawValue & 2 != 0 ? .write : .read
  }
}
