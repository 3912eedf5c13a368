public import Paging

/// An access to a guest physical address, as EPT judges and reports it.
@frozen
public struct EPTAccess: Hashable, Sendable {
  /// What is judged. With A and D on, a read of a guest table entry counts as a write.
  public var kind: AccessKind
  /// Bits 2:0 of an exit qualification.
  public var reported: UInt8
  /// Whether the address is the result of the guest's walk and not a table entry.
  public var isFinal: Bool
  /// Whether the guest's page is a user page (MBEC tells their execution apart).
  public var isUserPage: Bool
  /// The linear address, where there is one.
  public var gva: GVA?

  /// An access.
  @inlinable
  public init(
    _ kind: AccessKind, reported: UInt8, isFinal: Bool, isUserPage: Bool = false, gva: GVA?
  ) {
    self.kind = kind
    self.reported = reported
    self.isFinal = isFinal
    self.isUserPage = isUserPage
    self.gva = gva
  }

  /// Bit 0 data read, 1 data write, 2 fetch.
  @inlinable
  public static func reportedBits(of kind: AccessKind) -> UInt8 {
    switch kind {
    case .read: 1
    case .write: 2
    case .fetch: 4
    }
  }
}
