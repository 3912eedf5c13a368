/// The state of a secure EPT entry.
///
/// **Source** Intel TDX Module Base Architecture Specification, "Secure EPT Entry State".
public enum SecureEntryState: String, Sendable, Hashable, CaseIterable {
  /// Maps nothing.
  case free = "FREE"
  /// Points to a table.
  case nonLeafMapped = "NL_MAPPED"
  /// Points to a table that no new translation uses.
  case nonLeafBlocked = "NL_BLOCKED"
  /// Maps a page that the guest has.
  case mapped = "MAPPED"
  /// Maps a page that the guest has not accepted.
  case pending = "PENDING"
  /// A mapped page that no new translation uses.
  case blocked = "BLOCKED"
  /// A pending page that no new translation uses.
  case pendingBlocked = "PENDING_BLOCKED"
  /// A mapped page that may be read, not written.
  case writeBlocked = "BLOCKEDW"
  /// Was taken away; the guest is not to find it unnoticed.
  case removed = "REMOVED"

  /// Whether the entry maps a page, usable or not.
  public var isLeaf: Bool {
    switch self {
    case .mapped, .pending, .blocked, .pendingBlocked, .writeBlocked: true
    case .free, .nonLeafMapped, .nonLeafBlocked, .removed: false
    }
  }

  /// Whether the entry points to a table, usable or not.
  public var isTable: Bool { self == .nonLeafMapped || self == .nonLeafBlocked }

  /// Whether no new translation uses the entry, though it maps something.
  public var isBlocked: Bool {
    self == .blocked || self == .pendingBlocked || self == .nonLeafBlocked
  }
}
