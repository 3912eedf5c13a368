import Paging
import X86

extension RuleBook {
  /// The error code of the page fault that failed rules make, bit by bit (SPEC W7); empty where no
  /// page fault is raised.
  func errorCodeBits(_ rules: [AccessRule]) -> [ErrorCodeBit] {
    let failed = rules.first { $0.verdict == .failed }
    guard let cause = failed?.cause else { return [] }
    if cause == .nonCanonical || cause == .forbiddenAddress { return [] }
    let kind = access.kind
    let key = rules.last { $0.source == Self.keys }
    let isDenied = cause == .permission && key?.verdict == .failed
    return [
      ErrorCodeBit(
        bit: 0, name: "P", isSet: cause != .notPresent,
        why: cause == .notPresent
          ? "an entry is not present" : "every entry that was read is present"),
      ErrorCodeBit(bit: 1, name: "W", isSet: kind == .write, why: "the access is a \(kind)"),
      ErrorCodeBit(
        bit: 2, name: "U", isSet: access.isUser,
        why: access.isUser
          ? "made in user mode"
          : access.isImplicit ? "implicit accesses are supervisor ones" : "made in supervisor mode"),
      ErrorCodeBit(
        bit: 3, name: "RSVD", isSet: cause == .reservedBit,
        why: cause == .reservedBit
          ? "a bit that must be 0 is set" : "no reserved bit was met"),
      ErrorCodeBit(
        bit: 4, name: "I", isSet: kind == .fetch && controls.reportsFetch, why: fetchWords),
      ErrorCodeBit(
        bit: 5, name: "PK", isSet: isDenied,
        why: isDenied
          ? "the page's protection key denies the access"
          : cause == .permission
            ? "no protection key denies the access" : "keys are looked at once a walk arrived"),
      ErrorCodeBit(
        bit: 6, name: "SS", isSet: access.isShadowStack,
        why: access.isShadowStack ? "a shadow-stack access" : "no shadow-stack access"),
    ]
  }

  private var fetchWords: String {
    guard access.kind == .fetch else { return "the access is no fetch" }
    return controls.reportsFetch
      ? "a fetch, told because EFER.NXE with CR4.PAE, or CR4.SMEP, is on"
      : "a fetch, but neither EFER.NXE with CR4.PAE nor CR4.SMEP is on"
  }
}
