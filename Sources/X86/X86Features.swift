/// What the modelled processor can do, as CPUID would say it.
///
/// A control bit takes effect only where the feature is there; see `X86Controls`.
@frozen
public struct X86Features: Hashable, Sendable {
  /// Who made it: a few reserved bits differ.
  @frozen
  public enum Vendor: UInt8, Sendable, Hashable {
    /// Intel's reserved-bit rules.
    case intel
    /// AMD's: bit 8 of PML4E and PML5E is reserved too.
    case amd
  }

  /// MAXPHYADDR. **Units** bits, 32...52; another number becomes the nearest of these.
  public var physicalAddressWidth: Int {
    didSet { physicalAddressWidth = Self.clamped(physicalAddressWidth) }
  }
  /// The address bits that say how memory is encrypted: above M, and not reserved; 0 without.
  public var encryptionMask: UInt64
  /// Who made it.
  public var vendor: Vendor
  /// Execute-disable.
  public var nx: Bool
  /// 4 MiB pages in two-level paging.
  public var pse: Bool
  /// 4 MiB pages above 4 GiB.
  public var pse36: Bool
  /// 1 GiB pages.
  public var gigabytePages: Bool
  /// Five-level paging.
  public var la57: Bool
  /// Supervisor-mode execution prevention.
  public var smep: Bool
  /// Supervisor-mode access prevention.
  public var smap: Bool
  /// Process-context identifiers.
  public var pcid: Bool
  /// Protection keys for user pages.
  public var pku: Bool
  /// Protection keys for supervisor pages.
  public var pks: Bool
  /// Linear-address masking.
  public var lam: Bool
  /// Linear-address space separation.
  public var lass: Bool
  /// CET shadow stacks.
  public var shadowStacks: Bool

  /// The legal widths of a physical address.
  public static var physicalAddressWidths: ClosedRange<Int> { 32...52 }

  /// Every feature, for a machine whose registers choose.
  ///
  /// - Parameter physicalAddressWidth: MAXPHYADDR; clamped to 32...52, since it masks entries.
  public init(physicalAddressWidth: Int = 52, vendor: Vendor = .intel) {
    self.physicalAddressWidth = Self.clamped(physicalAddressWidth)
    encryptionMask = 0
    self.vendor = vendor
    nx = true
    pse = true
    pse36 = true
    gigabytePages = true
    la57 = true
    smep = true
    smap = true
    pcid = true
    pku = true
    pks = true
    lam = true
    lass = true
    shadowStacks = true
  }

  private static func clamped(_ width: Int) -> Int {
    min(max(width, physicalAddressWidths.lowerBound), physicalAddressWidths.upperBound)
  }

  /// The bits that a legal physical address may have: M-1:0.
  @inlinable
  public var physicalAddressMask: UInt64 { (1 &<< UInt64(physicalAddressWidth)) &- 1 }
}

extension X86Features.Vendor: LosslessStringConvertible {
  /// `intel` or `amd`.
  public init?(_ description: String) {
    switch description {
    case "intel": self = .intel
    case "amd": self = .amd
    default: return nil
    }
  }

  /// `intel` or `amd`.
  public var description: String {
    switch self {
    case .intel: "intel"
    case .amd: "amd"
    }
  }
}
