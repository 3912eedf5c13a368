/// What the modelled processor's EPT can do (IA32_VMX_EPT_VPID_CAP), and what is switched on.
///
/// **Source** Intel SDM Vol. 3D, "VPID and EPT Capabilities".
@frozen
public struct EPTCapabilities: Hashable, Sendable {
  /// All of it. **Bits** 7:0 MAXPHYADDR, 15:8 levels, then one bit a capability.
  // PERF: walk.2d.4k; one number. A memory of more than fifteen is copied to the stack for each walk.
  @usableFromInline var bits: UInt64

  /// MAXPHYADDR. **Units** bits, 32...52; another number becomes the nearest of these.
  @inlinable
  public var physicalAddressWidth: Int {
    get { Int(truncatingIfNeeded: bits & 0xFF) }
    set { bits = bits & ~0xFF | UInt64(min(max(newValue, 32), 52)) }
  }
  /// 4 or 5; another number becomes the nearer of these.
  @inlinable
  public var levels: Int {
    get { Int(truncatingIfNeeded: bits &>> 8 & 0xFF) }
    set { bits = bits & ~0xFF00 | UInt64(min(max(newValue, 4), 5)) &<< 8 }
  }
  /// Entries may grant X alone.
  @inlinable
  public var executeOnly: Bool {
    get { self[bit: 1 &<< 16] }
    set { self[bit: 1 &<< 16] = newValue }
  }
  /// 2 MiB leaves.
  @inlinable
  public var pages2MiB: Bool {
    get { self[bit: 1 &<< 17] }
    set { self[bit: 1 &<< 17] = newValue }
  }
  /// 1 GiB leaves.
  @inlinable
  public var pages1GiB: Bool {
    get { self[bit: 1 &<< 18] }
    set { self[bit: 1 &<< 18] = newValue }
  }
  /// EPTP bit 6: accessed and dirty flags are kept.
  @inlinable
  public var accessedDirty: Bool {
    get { self[bit: 1 &<< 19] }
    set { self[bit: 1 &<< 19] = newValue }
  }
  /// Mode-based execute control: bit 10 grants execution of user pages.
  @inlinable
  public var modeBasedExecution: Bool {
    get { self[bit: 1 &<< 20] }
    set { self[bit: 1 &<< 20] = newValue }
  }

  /// A current server processor: all but mode-based execution.
  ///
  /// - Parameters:
  ///   - physicalAddressWidth: MAXPHYADDR, clamped to 32...52.
  ///   - levels: clamped to 4...5.
  ///   - executeOnly: whether a leaf may grant execution alone.
  ///   - pages2MiB: whether leaves may map 2 MiB.
  ///   - pages1GiB: whether leaves may map 1 GiB.
  ///   - accessedDirty: whether hardware keeps A and D.
  ///   - modeBasedExecution: whether user and supervisor execution are apart.
  public init(
    physicalAddressWidth: Int, levels: Int = 4, executeOnly: Bool = true, pages2MiB: Bool = true,
    pages1GiB: Bool = true, accessedDirty: Bool = true, modeBasedExecution: Bool = false
  ) {
    bits = 0
    self.physicalAddressWidth = physicalAddressWidth
    self.levels = levels
    self.executeOnly = executeOnly
    self.pages2MiB = pages2MiB
    self.pages1GiB = pages1GiB
    self.accessedDirty = accessedDirty
    self.modeBasedExecution = modeBasedExecution
  }

  @inlinable
  subscript(bit bit: UInt64) -> Bool {
    @inline(__always) get { bits & bit != 0 }
    set { bits = newValue ? bits | bit : bits & ~bit }
  }
}
