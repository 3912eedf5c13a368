public import Paging

/// An access to a guest physical address, as nested paging judges and reports it.
@frozen
public struct NPTAccess: Hashable, Sendable {
  /// What is judged; an access to a guest's table entry is a write.
  public var kind: AccessKind
  /// Whether the address is the result of the guest's walk and not a table entry.
  public var isFinal: Bool

  /// An access.
  @inlinable
  public init(_ kind: AccessKind, isFinal: Bool) {
    self.kind = kind
    self.isFinal = isFinal
  }
}
