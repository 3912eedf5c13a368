/// What a function of the TDX module returns in RAX; operand bits 31:0 are left 0.
///
/// **Source** Intel TDX Module ABI Specification, "Function Completion Status Codes".
public enum TDXStatus: UInt64, Error, Sendable, Hashable, CaseIterable {
  /// Done.
  case success = 0
  /// An operand is out of range or misaligned.
  case operandInvalid = 0xC000_0100_0000_0000
  /// Somebody else holds a lock; try again.
  case operandBusy = 0x8000_0200_0000_0000
  /// A vCPU is inside since before the last track.
  case previousTLBEpochBusy = 0x8000_0201_0000_0000
  /// The function is not allowed in the domain's state (before or after finalization).
  case opStateIncorrect = 0xC000_0608_0000_0000
  /// A table on the way is missing.
  case eptWalkFailed = 0xC000_0B00_0000_0000
  /// The entry is free.
  case eptEntryFree = 0xC000_0B01_0000_0000
  /// The entry is in use.
  case eptEntryNotFree = 0xC000_0B02_0000_0000
  /// The range must be blocked first.
  case gpaRangeNotBlocked = 0xC000_0B06_0000_0000
  /// The range is blocked already.
  case gpaRangeAlreadyBlocked = 0x0000_0B07_0000_0000
  /// Processors may still hold translations from before the block.
  case tlbTrackingNotDone = 0xC000_0B08_0000_0000
  /// The pages below are not one run of accepted small pages.
  case eptInvalidPromoteConditions = 0xC000_0B09_0000_0000
  /// The guest has accepted the page before.
  case pageAlreadyAccepted = 0x0000_0B0A_0000_0000
  /// The page is mapped at another size than the guest accepts.
  case pageSizeMismatch = 0xC000_0B0B_0000_0000
  /// The entry is in another state than the function needs.
  case eptEntryStateIncorrect = 0xC000_0B0D_0000_0000
  /// The page given is in use already.
  case eptPageNotFree = 0xC000_0B0E_0000_0000
}

extension TDXStatus: CustomStringConvertible {
  /// The name in the specification.
  public var description: String {
    switch self {
    case .success: "TDX_SUCCESS"
    case .operandInvalid: "TDX_OPERAND_INVALID"
    case .operandBusy: "TDX_OPERAND_BUSY"
    case .previousTLBEpochBusy: "TDX_PREVIOUS_TLB_EPOCH_BUSY"
    case .opStateIncorrect: "TDX_OP_STATE_INCORRECT"
    case .eptWalkFailed: "TDX_EPT_WALK_FAILED"
    case .eptEntryFree: "TDX_EPT_ENTRY_FREE"
    case .eptEntryNotFree: "TDX_EPT_ENTRY_NOT_FREE"
    case .gpaRangeNotBlocked: "TDX_GPA_RANGE_NOT_BLOCKED"
    case .gpaRangeAlreadyBlocked: "TDX_GPA_RANGE_ALREADY_BLOCKED"
    case .tlbTrackingNotDone: "TDX_TLB_TRACKING_NOT_DONE"
    case .eptInvalidPromoteConditions: "TDX_EPT_INVALID_PROMOTE_CONDITIONS"
    case .pageAlreadyAccepted: "TDX_PAGE_ALREADY_ACCEPTED"
    case .pageSizeMismatch: "TDX_PAGE_SIZE_MISMATCH"
    case .eptEntryStateIncorrect: "TDX_EPT_ENTRY_STATE_INCORRECT"
    case .eptPageNotFree: "TDX_EPT_PAGE_NOT_FREE"
    }
  }
}
