public import Paging

/// What the hardware reports when a trust domain's address has no translation.
public enum TDXExit<Shared: SecondLevelExit>: Error, Sendable {
  /// The shared EPT's report, its address without the shared bit.
  case shared(Shared)
  /// A private address that the secure EPT does not map, or not for this access.
  case secure(Shared)
  /// The guest gets a #VE; the host learns nothing of it. What TDG.VP.VEINFO.GET gives the guest.
  case exception(VirtualizationExceptionArea, AccessKind)
}

extension TDXExit: SecondLevelExit {
  /// `ve` for what the guest alone learns; else as the EPT says.
  public var cause: ExitCause {
    switch self {
    case .shared(let exit), .secure(let exit): exit.cause
    case .exception: .virtualizationException
    }
  }

  /// The address: of an exit without the shared bit, of a #VE with it.
  public var gpa: GPA {
    switch self {
    case .shared(let exit), .secure(let exit): exit.gpa
    case .exception(let area, _): GPA(area.gpa)
    }
  }

  /// The linear address, where the hardware gives it.
  public var gva: GVA? {
    switch self {
    case .shared(let exit), .secure(let exit): exit.gva
    case .exception(let area, _): GVA(area.gva)
    }
  }

  /// What was asked.
  public var kind: AccessKind {
    switch self {
    case .shared(let exit), .secure(let exit): exit.kind
    case .exception(_, let kind): kind
    }
  }

  /// Not told.
  public var isUser: Bool { false }

  /// As the shared EPT says; the module's entries never are.
  public var isMalformed: Bool {
    if case .shared(let exit) = self { return exit.isMalformed }
    return false
  }

  /// Whether a guest's table entry was asked for.
  public var isTableAccess: Bool {
    switch self {
    case .shared(let exit), .secure(let exit): exit.isTableAccess
    case .exception: false
    }
  }

  /// One line.
  public var description: String {
    switch self {
    case .shared(let exit): "shared: \(exit.description)"
    case .secure(let exit): "private: \(exit.description)"
    case .exception(let area, let kind): "#VE in the guest: GPA \(GPA(area.gpa)), \(kind)"
    }
  }
}
