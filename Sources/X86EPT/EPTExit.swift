public import Paging

/// An exit that EPT causes.
@frozen
public enum EPTExit: Error, Hashable, Sendable {
  /// An entry is not present or does not grant the access (basic exit reason 48).
  case violation(EPTViolation)
  /// An entry is malformed (basic exit reason 49); the processor gives the GPA alone.
  case misconfiguration(EPTMisconfiguration)
  /// A violation that the guest got as a #VE; the host learns nothing of it.
  case virtualizationException(EPTViolation)

  /// The guest physical address of the access.
  @inlinable
  public var gpa: GPA {
    switch self {
    case .violation(let violation), .virtualizationException(let violation): violation.gpa
    case .misconfiguration(let misconfiguration): misconfiguration.gpa
    }
  }
}

extension EPTExit: SecondLevelExit {
  /// The violation, whoever learns of it.
  @inlinable
  public var violation: EPTViolation? {
    switch self {
    case .violation(let violation), .virtualizationException(let violation): violation
    case .misconfiguration: nil
    }
  }

  /// `ept-violation`, `ept-misconfiguration` or `ve`.
  @inlinable
  public var cause: ExitCause {
    switch self {
    case .violation: .eptViolation
    case .misconfiguration: .eptMisconfiguration
    case .virtualizationException: .virtualizationException
    }
  }

  /// The linear address of a violation, where it is valid.
  @inlinable
  public var gva: GVA? {
    violation?.gva
  }

  /// What has to be let through; a misconfiguration does not say, so the mildest is assumed.
  @inlinable
  public var kind: AccessKind {
    violation?.qualification.kind ?? .read
  }

  /// EPT does not tell.
  @inlinable
  public var isUser: Bool { false }

  /// Whether a violation says so.
  @inlinable
  public var isTableAccess: Bool {
    violation.map { !$0.qualification.isFinal } ?? false
  }

  /// Whether it is a violation by an entry with bit 63 clear; a misconfiguration never is one.
  @inlinable
  public var isConvertible: Bool {
    if case .violation(let violation) = self { return violation.isConvertible }
    return false
  }

  /// Whether it is a misconfiguration.
  @inlinable
  public var isMalformed: Bool {
    if case .misconfiguration = self { return true }
    return false
  }
}

extension EPTExit {
  /// One line: the address, and for a violation the qualification in words.
  public var description: String {
    switch self {
    case .misconfiguration(let exit):
      return "EPT misconfiguration: GPA \(exit.gpa)"
    case .virtualizationException(let violation):
      return "#VE in the guest: \(EPTExit.violation(violation).description)"
    case .violation(let exit):
      let what = exit.qualification
      let asked = [(what.isRead, "read"), (what.isWrite, "write"), (what.isFetch, "fetch")]
        .filter(\.0).map(\.1).joined(separator: "+")
      let target =
        !what.isGVAValid
        ? "no GVA" : what.isFinal ? "the page of a GVA" : "a table entry of a walk"
      let granted = String(what.permissions.description.dropFirst())
      return "EPT violation: GPA \(exit.gpa), \(asked) of \(target), entries grant \(granted),"
        + " qualification 0x\(String(what.rawValue, radix: 16))"
    }
  }
}
