public import X86TDX

/// What the host answers to a TDG.VP.VMCALL.
public struct TDVMCallAnswer: Sendable, Hashable {
  /// R10.
  public let status: TDVMCallStatus
  /// R11: what was read; or from where a range is to be asked for again, or was refused.
  public let value: UInt64
  /// What answered on the MMIO bus, where it was asked.
  public let mmio: MMIOAnswer?

  init(_ status: TDVMCallStatus, value: UInt64 = 0, mmio: MMIOAnswer? = nil) {
    self.status = status
    self.value = value
    self.mmio = mmio
  }
}
