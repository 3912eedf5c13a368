/// Which entries mean "no memslot here: MMIO", as a value under a mask.
///
/// The three numbers are KVM's `kvm_mmu_set_mmio_spte_mask`: an SPTE with
/// `spte & mask == value` is an MMIO entry; the access bits under `accessMask` are kept in it.
@frozen
public struct MMIOMask: Sendable, Hashable {
  /// The bits an MMIO entry has under `mask`.
  public var value: UInt64
  /// The bits that tell an MMIO entry.
  public var mask: UInt64
  /// Which access bits (bit 1 write, bit 2 user) an MMIO entry keeps. **Bits** 31:0.
  public var accessMask: UInt64

  /// How many generations entries tell apart, and what becomes of entries when they wrap.
  public var generations = MMIOGenerations()

  /// A mask; checked when a layout is composed with it.
  @inlinable
  public init(value: UInt64, mask: UInt64, accessMask: UInt64) {
    self.value = value
    self.mask = mask
    self.accessMask = accessMask
  }
}
