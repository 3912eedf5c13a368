/// The access rules that need nothing but the folded rights, tabulated by the kind of access: WP,
/// SMEP, SMAP and execute-disable (SPEC W8, W9), and which key bits concern it (W10).
@frozen
@usableFromInline
struct X86Verdicts: Hashable, Sendable {
  // PERF: walk.checked.random; two masks replace nine branches, and as plain numbers they stay in
  // registers, which an array does not.
  /// One bit for each access code: whether the access needs R/W=1 (and respects a key's WD).
  @usableFromInline let needsWrite: UInt32
  /// One bit for each access code: whether the access is refused on user pages.
  @usableFromInline let refusesUserPages: UInt32

  /// The rules that are on.
  init(writeProtect: Bool, smep: Bool, smap: Bool) {
    // PERF: switch.shadow; registers change more often than what an access is.
    needsWrite = writeProtect ? Self.writes : Self.userWrites
    refusesUserPages = (smep ? Self.supervisorFetches : 0) | (smap ? Self.unexcusedData : 0)
  }

  private static let writes = codes { $0.isWrite }
  private static let userWrites = codes { $0.isWrite && $0.isUser }
  private static let supervisorFetches = codes { !$0.isUser && $0.isFetch }
  private static let unexcusedData = codes {
    !$0.isUser && !$0.isFetch && ($0.isImplicit || !$0.alignmentCheck)
  }

  /// One bit for each access code that a rule is about.
  private static func codes(where rule: (X86Access) -> Bool) -> UInt32 {
    (0..<32 as Range<UInt8>).reduce(0) {
      rule(X86Access(code: $1)) ? $0 | 1 << UInt32($1) : $0
    }
  }

  /// Whether folded rights grant an access that is not a shadow-stack one.
  ///
  /// **Source** Intel SDM Vol. 3A, "Determination of Access Rights".
  @inlinable
  @inline(__always)
  func grants(_ access: X86Access, _ rights: X86Rights) -> Bool {
    let code = UInt32(access.code)
    // The user bit of an access stands where U/S stands in an entry.
    let user = UInt64(access.code) & X86Rights.userBit
    let write = UInt64((needsWrite &>> code) & 1) &<< 1
    let execute = UInt64(access.code & 2) &<< 62
    let refused = UInt64((refusesUserPages &>> code) & 1) &<< 2
    let needed = user | write | execute
    return (rights.granted ^ needed) & (needed | refused) == 0
  }

  /// The bits of a key's pair (0 AD, 1 WD) that deny an access.
  @inlinable
  @inline(__always)
  func keyBits(_ access: X86Access) -> UInt32 {
    access.isFetch ? 0 : 1 | (needsWrite &>> UInt32(access.code) & 1) &<< 1
  }
}
