/// The access rules that need nothing but the folded rights, tabulated: WP, SMEP, SMAP and
/// execute-disable (SPEC W8, W9), and what protection keys have to look at (W10).
///
/// One row for each kind of access, made when the registers change.
@frozen
@usableFromInline
struct X86Verdicts: Sendable {
  /// **Bits** 7:0 one for each combination of rights, set where the access is granted; 9:8 the bits
  /// of a protection key's pair (AD, WD) that deny the access.
  // PERF: walk.checked.random; a load and a shift where the rules were nine branches.
  @usableFromInline var rows: InlineArray<32, UInt16>

  /// Tabulates the rules.
  init(writeProtect: Bool, smep: Bool, smap: Bool) {
    rows = .init(repeating: 0)
    for code in UInt8(0)..<32 {
      let access = X86Access(code: code)
      var row: UInt16 = 0
      for index in UInt64(0)..<8 {
        let rights = X86Rights(tableIndex: index)
        if Self.grants(
          access, rights, writeProtect: writeProtect, smep: smep, smap: smap)
        {
          row |= 1 << UInt16(index)
        }
      }
      if !access.isFetch { row |= 1 << 8 }
      if access.isWrite, access.isUser || writeProtect { row |= 2 << 8 }
      rows[Int(code)] = row
    }
  }

  /// **Source** Intel SDM Vol. 3A, "Determination of Access Rights".
  private static func grants(
    _ access: X86Access, _ rights: X86Rights, writeProtect: Bool, smep: Bool, smap: Bool
  ) -> Bool {
    if access.isUser && !rights.isUser { return false }
    if access.isFetch && !rights.isExecutable { return false }
    if access.isWrite && (access.isUser || writeProtect) && !rights.isWritable { return false }
    guard rights.isUser && !access.isUser else { return true }
    if access.isFetch { return !smep }
    return !smap || (access.alignmentCheck && !access.isImplicit)
  }

  /// The row of an access; what it says of a shadow-stack access is not for use.
  @inlinable
  @inline(__always)
  subscript(access: X86Access) -> UInt64 { UInt64(rows[Int(access.code & 31)]) }
}

extension X86Verdicts: Hashable {
  @usableFromInline
  static func == (left: X86Verdicts, right: X86Verdicts) -> Bool {
    left.rows.indices.allSatisfy { left.rows[$0] == right.rows[$0] }
  }

  @usableFromInline
  func hash(into hasher: inout Hasher) {
    for index in rows.indices { hasher.combine(rows[index]) }
  }
}
