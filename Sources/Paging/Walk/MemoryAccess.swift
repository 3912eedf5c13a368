/// What every guest access has, so that the second level can be asked for it.
public protocol MemoryAccess: Sendable {
  /// Read, write or fetch.
  var kind: AccessKind { get }
  /// Whether the guest is in user mode.
  var isUser: Bool { get }
}
