public import Paging

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

/// A secure EPT entry.
public struct SecureEntry: Sendable, Hashable {
  /// Its state.
  public var state: SecureEntryState
  /// The page or the table's page.
  public var pfn: PFN
  /// The domain's epoch when it was blocked.
  var blockEpoch: UInt64 = 0
}

/// Why a private address has no translation.
public enum SecureRefusal: Error, Sendable, Hashable {
  /// The guest gets a #VE: the page waits to be accepted.
  case pending(GPA, Level)
  /// An EPT violation: an exit.
  case violation(GPA, Level)
}
