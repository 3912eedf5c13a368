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

/// An EPT violation.
@frozen
public struct EPTViolation: Hashable, Sendable {
  /// The address.
  public let gpa: GPA
  /// The linear address, where the qualification says it is valid.
  public let gva: GVA?
  /// The exit qualification.
  public let qualification: EPTQualification
  /// Whether the entry lets the violation become a #VE (bit 63 clear).
  public let isConvertible: Bool
  /// The level of the entry that ended the walk; a model's courtesy that no VMCS field holds.
  public let level: Level

  /// A violation.
  @inlinable
  public init(
    gpa: GPA, gva: GVA?, qualification: EPTQualification, isConvertible: Bool, level: Level
  ) {
    self.gpa = gpa
    self.gva = gva
    self.qualification = qualification
    self.isConvertible = isConvertible
    self.level = level
  }
}

/// An EPT misconfiguration.
@frozen
public struct EPTMisconfiguration: Hashable, Sendable {
  /// The address.
  public let gpa: GPA
  /// The level of the malformed entry; a model's courtesy that no VMCS field holds.
  public let level: Level
  /// The malformed entry; likewise.
  public let entry: UInt64

  /// A misconfiguration.
  @inlinable
  public init(gpa: GPA, level: Level, entry: UInt64) {
    self.gpa = gpa
    self.level = level
    self.entry = entry
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
