extension MMIOMask {
  /// The mask of entries in which a reserved address bit marks MMIO, as legacy shadow tables and NPT
  /// have them, with the rights W and U kept (SPEC E7); `nil` where no such bit is left, so that MMIO
  /// cannot be cached.
  ///
  /// - Parameters:
  ///   - physicalAddressWidth: MAXPHYADDR. **Units** bits.
  ///   - layout: standard and 2008: bit 51 with P. 2011: bits 62:M with P; at 52 bits P is clear, and
  ///     the entries are searched for again each time. SME: bits 51:M but for those of encryption.
  ///   - encryption: the memory-encryption bits, where they are not the layout's own.
  public static func reserved(
    physicalAddressWidth: Int, layout: NamedLayout, encryption: MemoryEncryption? = nil
  ) -> MMIOMask? {
    let unaddressed = (~0 as UInt64) << UInt64(physicalAddressWidth)
    let bits: UInt64
    switch layout {
    case .trap2008: return nil
    case .mmio2011:
      let bits = unaddressed & (1 << 63 - 1)
      let present: UInt64 = physicalAddressWidth < 52 ? 1 : 0
      return MMIOMask(value: bits | present, mask: bits | 1, accessMask: 6)
    case .encrypted:
      let encryption = encryption ?? .sme(physicalAddressWidth: physicalAddressWidth)
      bits = unaddressed & (1 << 52 - 1) & ~(encryption?.mask ?? 0)
    case .standard, .modeBased: bits = unaddressed & 1 << 51 & ~(encryption?.mask ?? 0)
    }
    return bits == 0 ? nil : MMIOMask(value: bits | 1, mask: bits | 1, accessMask: 6)
  }
}
