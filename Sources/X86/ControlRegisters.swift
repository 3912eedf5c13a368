/// CR0, the bits that paging looks at.
///
/// **Source** Intel SDM Vol. 3A, "Control Registers".
@frozen
public struct CR0: OptionSet, Hashable, Sendable {
  /// The register.
  public let rawValue: UInt64
  /// Takes the register as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Bit 0, `PE`: protected mode.
  @inlinable
  public static var protectionEnable: CR0 { CR0(rawValue: 1) }
  /// Bit 16, `WP`: supervisor writes respect read-only pages.
  @inlinable
  public static var writeProtect: CR0 { CR0(rawValue: 1 << 16) }
  /// Bit 29, `NW`.
  @inlinable
  public static var notWriteThrough: CR0 { CR0(rawValue: 1 << 29) }
  /// Bit 30, `CD`.
  @inlinable
  public static var cacheDisable: CR0 { CR0(rawValue: 1 << 30) }
  /// Bit 31, `PG`: paging.
  @inlinable
  public static var paging: CR0 { CR0(rawValue: 1 << 31) }
}

/// CR4, the bits that paging looks at.
///
/// **Source** Intel SDM Vol. 3A, "Control Registers".
@frozen
public struct CR4: OptionSet, Hashable, Sendable {
  /// The register.
  public let rawValue: UInt64
  /// Takes the register as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Bit 4, `PSE`: 4 MiB pages in two-level paging.
  @inlinable
  public static var pageSizeExtensions: CR4 { CR4(rawValue: 1 << 4) }
  /// Bit 5, `PAE`: 8-byte entries.
  @inlinable
  public static var physicalAddressExtension: CR4 { CR4(rawValue: 1 << 5) }
  /// Bit 7, `PGE`: global pages.
  @inlinable
  public static var globalPages: CR4 { CR4(rawValue: 1 << 7) }
  /// Bit 12, `LA57`: five levels.
  @inlinable
  public static var linearAddress57: CR4 { CR4(rawValue: 1 << 12) }
  /// Bit 17, `PCIDE`: process-context identifiers.
  @inlinable
  public static var processContextIdentifiers: CR4 { CR4(rawValue: 1 << 17) }
  /// Bit 20, `SMEP`.
  @inlinable
  public static var supervisorExecutionPrevention: CR4 { CR4(rawValue: 1 << 20) }
  /// Bit 21, `SMAP`.
  @inlinable
  public static var supervisorAccessPrevention: CR4 { CR4(rawValue: 1 << 21) }
  /// Bit 22, `PKE`: protection keys for user pages.
  @inlinable
  public static var userProtectionKeys: CR4 { CR4(rawValue: 1 << 22) }
  /// Bit 23, `CET`: shadow stacks.
  @inlinable
  public static var controlFlowEnforcement: CR4 { CR4(rawValue: 1 << 23) }
  /// Bit 24, `PKS`: protection keys for supervisor pages.
  @inlinable
  public static var supervisorProtectionKeys: CR4 { CR4(rawValue: 1 << 24) }
  /// Bit 27, `LASS`: linear-address space separation.
  @inlinable
  public static var linearAddressSpaceSeparation: CR4 { CR4(rawValue: 1 << 27) }
  /// Bit 28, `LAM_SUP`: linear-address masking for supervisor pointers.
  @inlinable
  public static var supervisorLinearAddressMasking: CR4 { CR4(rawValue: 1 << 28) }
}

/// IA32_EFER, the bits that paging looks at.
///
/// **Source** Intel SDM Vol. 3A, "Extended Feature Enable Register".
@frozen
public struct EFER: OptionSet, Hashable, Sendable {
  /// The register.
  public let rawValue: UInt64
  /// Takes the register as it is.
  @inlinable
  public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// Bit 8, `LME`: long mode once paging is on.
  @inlinable
  public static var longModeEnable: EFER { EFER(rawValue: 1 << 8) }
  /// Bit 10, `LMA`: long mode is active.
  @inlinable
  public static var longModeActive: EFER { EFER(rawValue: 1 << 10) }
  /// Bit 11, `NXE`: the execute-disable bit of entries is live.
  @inlinable
  public static var noExecuteEnable: EFER { EFER(rawValue: 1 << 11) }
}
