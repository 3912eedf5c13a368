/// Why a walk ended without a translation, in words that all formats share.
@frozen
public enum FaultCause: Sendable, Hashable {
  /// An entry on the way is not present.
  case notPresent
  /// An entry on the way has reserved bits or an illegal combination.
  case reservedBit
  /// The walk arrived, but the rights of the entries together refuse the access.
  case permission
  /// The address itself cannot be translated (non-canonical on x86).
  case nonCanonical
  /// The address may not be used by this access, whatever the tables say (LASS on x86).
  case forbiddenAddress
}

extension FaultCause: CustomStringConvertible {
  /// The reason as the tools print it.
  public var description: String {
    switch self {
    case .notPresent: "not present"
    case .reservedBit: "reserved bit"
    case .permission: "permission"
    case .nonCanonical: "non-canonical"
    case .forbiddenAddress: "forbidden address"
    }
  }
}
