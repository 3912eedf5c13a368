public import Paging

extension VirtualizationExceptionArea {
  /// The area of a violation.
  init(_ violation: EPTViolation, eptpIndex: UInt16) {
    self.init(
      qualification: violation.qualification.rawValue, gva: violation.gva?.rawValue ?? 0,
      gpa: violation.gpa.rawValue, eptpIndex: eptpIndex)
  }
}

extension EPTExit {
  /// The area that is written where the exit becomes a #VE instead; `nil` where it stays an exit, as a
  /// misconfiguration always does.
  public func exception(_ state: VirtualizationExceptionState) -> VirtualizationExceptionArea? {
    guard case .violation(let violation) = self, violation.isConvertible, state.isEnabled,
      state.isProtectedMode, !state.isDeliveringEvent, state.busyWord == 0
    else { return nil }
    return VirtualizationExceptionArea(violation, eptpIndex: state.eptpIndex)
  }

  /// The exception and its area, where `exception(_:)` has one.
  public func converted(
    _ state: VirtualizationExceptionState
  ) -> (exit: EPTExit, area: VirtualizationExceptionArea)? {
    guard case .violation(let violation) = self, let area = exception(state) else { return nil }
    return (.virtualizationException(violation), area)
  }
}

extension EPTViolation {
  /// The violation that the fields of a VMCS tell (exit decoding): whether the entry was convertible
  /// and its level are not among them.
  public init(exitQualification: UInt64, guestPhysicalAddress: UInt64, guestLinearAddress: UInt64) {
    let qualification = EPTQualification(rawValue: exitQualification)
    self.init(
      gpa: GPA(guestPhysicalAddress),
      gva: qualification.isGVAValid ? GVA(guestLinearAddress) : nil,
      qualification: qualification, isConvertible: false, level: .pageTable)
  }
}

extension EPTQualification {
  /// The access that a qualification tells, or `nil` for one that no violation of this model has:
  /// no access at all, a fetch that is data too, bit 8 without bit 7, bits above 8.
  public func access(gva: GVA?) -> EPTAccess? {
    let reported = UInt8(rawValue & 7)
    let isWhole = reported == 1 || reported == 2 || reported == 4 || reported == 3
    guard isWhole, rawValue >> 9 == 0, isGVAValid || !isFinal, isGVAValid == (gva != nil) else {
      return nil
    }
    return EPTAccess(kind, reported: reported, isFinal: isFinal, gva: gva)
  }

  /// What the entries granted, as a qualification tells it: bits 5:3, and 6 for user execution.
  public var rights: EPTRights {
    EPTRights(granted: rawValue >> 3 & 7 | (rawValue >> 6 & 1) << 10)
  }
}
