public import Paging

/// What a trust domain's guest asks of the host by TDG.VP.VMCALL, with the operands as they stand in its
/// registers: the host trusts none of them.
///
/// **Source** Guest-Host-Communication Interface (GHCI) for Intel TDX, "TDG.VP.VMCALL<#VE.RequestMMIO>",
/// "TDG.VP.VMCALL<MapGPA>".
public enum TDVMCall: Sendable, Hashable {
  /// TDG.VP.VMCALL<#VE.RequestMMIO>: 1, 2, 4 or 8 bytes of a device.
  ///
  /// - Parameters:
  ///   - size: R12. **Units** bytes.
  ///   - direction: R13: 0 reads, 1 writes.
  ///   - address: R14.
  ///   - value: R15, for a write.
  case requestMMIO(size: UInt64, direction: UInt64, address: GPA, value: UInt64)
  /// TDG.VP.VMCALL<MapGPA>: a range is to be shared where the start has the shared bit, else private.
  ///
  /// - Parameters:
  ///   - start: R12.
  ///   - byteCount: R13.
  case mapGPA(start: GPA, byteCount: UInt64)
  /// Any other sub-function, by its number.
  case other(UInt64)

  /// The call that R11 to R15 say.
  public init(r11: UInt64, r12: UInt64, r13: UInt64, r14: UInt64, r15: UInt64) {
    switch r11 {
    case Self.requestMMIONumber:
      self = .requestMMIO(size: r12, direction: r13, address: GPA(r14), value: r15)
    case Self.mapGPANumber: self = .mapGPA(start: GPA(r12), byteCount: r13)
    default: self = .other(r11)
    }
  }

  /// R11: the reason of an EPT violation.
  public static var requestMMIONumber: UInt64 { 48 }
  /// R11.
  public static var mapGPANumber: UInt64 { 0x10001 }
}
