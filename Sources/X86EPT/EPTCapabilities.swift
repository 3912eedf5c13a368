/// What the modelled processor's EPT can do (IA32_VMX_EPT_VPID_CAP), and what is switched on.
///
/// **Source** Intel SDM Vol. 3D, "VPID and EPT Capabilities".
@frozen
public struct EPTCapabilities: Hashable, Sendable {
  /// MAXPHYADDR. **Units** bits, 32...52; another number becomes the nearest of these.
  public var physicalAddressWidth: Int {
    didSet { physicalAddressWidth = min(max(physicalAddressWidth, 32), 52) }
  }
  /// 4 or 5; another number becomes the nearer of these.
  public var levels: Int {
    didSet { levels = min(max(levels, 4), 5) }
  }
  /// Entries may grant X alone.
  public var executeOnly: Bool
  /// 2 MiB leaves.
  public var pages2MiB: Bool
  /// 1 GiB leaves.
  public var pages1GiB: Bool
  /// EPTP bit 6: accessed and dirty flags are kept.
  public var accessedDirty: Bool
  /// Mode-based execute control: bit 10 grants execution of user pages.
  public var modeBasedExecution: Bool

  /// A current server processor: all but mode-based execution.
  ///
  /// - Parameters:
  ///   - physicalAddressWidth: MAXPHYADDR, clamped to 32...52.
  ///   - levels: clamped to 4...5.
  public init(
    physicalAddressWidth: Int, levels: Int = 4, executeOnly: Bool = true, pages2MiB: Bool = true,
    pages1GiB: Bool = true, accessedDirty: Bool = true, modeBasedExecution: Bool = false
  ) {
    self.physicalAddressWidth = min(max(physicalAddressWidth, 32), 52)
    self.levels = min(max(levels, 4), 5)
    self.executeOnly = executeOnly
    self.pages2MiB = pages2MiB
    self.pages1GiB = pages1GiB
    self.accessedDirty = accessedDirty
    self.modeBasedExecution = modeBasedExecution
  }
}
