/// What TDG.VP.VMCALL returns in R10.
///
/// **Source** Guest-Host-Communication Interface (GHCI) for Intel TDX, "TDG.VP.VMCALL Completion Status
/// Codes".
public enum TDVMCallStatus: UInt64, Sendable, Hashable, CaseIterable {
  /// Done.
  case success = 0
  /// Call again, from the address in R11.
  case retry = 1
  /// An operand is out of range.
  case invalidOperand = 0x8000_0000_0000_0000
  /// The address is in use.
  case gpaInUse = 0x8000_0000_0000_0001
  /// An address or size is no multiple of the page size.
  case alignError = 0x8000_0000_0000_0002
  /// There is no such sub-function.
  case subfunctionUnsupported = 0x8000_0000_0000_0003
}

extension TDVMCallStatus: CustomStringConvertible {
  /// The name in the specification.
  public var description: String {
    switch self {
    case .success: "TDG.VP.VMCALL_SUCCESS"
    case .retry: "TDG.VP.VMCALL_RETRY"
    case .invalidOperand: "TDG.VP.VMCALL_INVALID_OPERAND"
    case .gpaInUse: "TDG.VP.VMCALL_GPA_INUSE"
    case .alignError: "TDG.VP.VMCALL_ALIGN_ERROR"
    case .subfunctionUnsupported: "TDG.VP.VMCALL_SUBFUNC_UNSUPPORTED"
    }
  }
}
