public import Paging

/// What the hardware reports when a trust domain's address has no translation.
public enum TDXExit<Shared: SecondLevelExit>: Error, Sendable {
  /// The shared EPT's report, its address without the shared bit.
  case shared(Shared)
  /// A private address that the secure EPT does not map, or not for this access.
  case secure(GPA, AccessKind, GVA?, isTableAccess: Bool)
  /// The guest gets a #VE; the host learns nothing of it.
  case exception(GPA, AccessKind, GVA?)

  /// The vector of a #VE.
  ///
  /// **Source** Intel SDM Vol. 3C, "Virtualization Exceptions".
  public static var exceptionVector: UInt8 { 20 }
}

extension TDXExit: SecondLevelExit {
  /// `ve` for what the guest alone learns; else as the shared EPT says, or an EPT violation.
  public var cause: ExitCause {
    switch self {
    case .shared(let exit): exit.cause
    case .secure: .eptViolation
    case .exception: .virtualizationException
    }
  }

  /// The address, without the shared bit.
  public var gpa: GPA {
    switch self {
    case .shared(let exit): exit.gpa
    case .secure(let gpa, _, _, _), .exception(let gpa, _, _): gpa
    }
  }

  /// The linear address, where the hardware gives it.
  public var gva: GVA? {
    switch self {
    case .shared(let exit): exit.gva
    case .secure(_, _, let gva, _), .exception(_, _, let gva): gva
    }
  }

  /// What was asked.
  public var kind: AccessKind {
    switch self {
    case .shared(let exit): exit.kind
    case .secure(_, let kind, _, _), .exception(_, let kind, _): kind
    }
  }

  /// Not told.
  public var isUser: Bool { false }

  /// As the shared EPT says.
  public var isMalformed: Bool {
    if case .shared(let exit) = self { return exit.isMalformed }
    return false
  }

  /// Whether a guest's table entry was asked for.
  public var isTableAccess: Bool {
    switch self {
    case .shared(let exit): exit.isTableAccess
    case .secure(_, _, _, let isTableAccess): isTableAccess
    case .exception: false
    }
  }

  /// One line.
  public var description: String {
    switch self {
    case .shared(let exit): "shared: \(exit.description)"
    case .secure(let gpa, let kind, _, _): "secure EPT violation: GPA \(gpa), \(kind)"
    case .exception(let gpa, let kind, _): "#VE in the guest: GPA \(gpa), \(kind)"
    }
  }
}
