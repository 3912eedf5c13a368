/// What an access does with memory, whoever does it.
@frozen
public enum AccessKind: UInt8, Sendable, Hashable, CaseIterable {
  /// A data read.
  case read
  /// A data write, or a read-modify-write.
  case write
  /// An instruction fetch.
  case fetch

  /// The permission this access needs.
  @inlinable
  public var permission: Permissions {
    switch self {
    case .read: .read
    case .write: .write
    case .fetch: .execute
    }
  }
}

extension AccessKind: CustomStringConvertible {
  /// `read`, `write` or `fetch`.
  public var description: String {
    switch self {
    case .read: "read"
    case .write: "write"
    case .fetch: "fetch"
    }
  }
}
