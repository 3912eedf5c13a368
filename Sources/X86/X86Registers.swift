/// The registers of one processor that decide how it translates addresses.
public struct X86Registers: Hashable, Sendable {
  /// CR0.
  public var cr0: CR0
  /// CR3, whole: table, PCID or PWT/PCD, LAM bits.
  public var cr3: UInt64
  /// CR4.
  public var cr4: CR4
  /// IA32_EFER.
  public var efer: EFER
  /// PKRU: two bits a key, AD then WD.
  public var pkru: UInt32
  /// IA32_PKRS, laid out as PKRU.
  public var pkrs: UInt32

  /// Registers with the given values.
  public init(
    cr0: CR0 = [], cr3: UInt64 = 0, cr4: CR4 = [], efer: EFER = [], pkru: UInt32 = 0,
    pkrs: UInt32 = 0
  ) {
    self.cr0 = cr0
    self.cr3 = cr3
    self.cr4 = cr4
    self.efer = efer
    self.pkru = pkru
    self.pkrs = pkrs
  }

  /// The paging mode that the registers select.
  ///
  /// **Source** Intel SDM Vol. 3A, "Paging Modes and Control Bits".
  public var mode: X86Mode {
    if !cr0.contains(.paging) { return .none }
    if !cr4.contains(.physicalAddressExtension) { return .legacy32 }
    if !efer.contains(.longModeActive) { return .pae }
    return cr4.contains(.linearAddress57) ? .long5 : .long4
  }
}
