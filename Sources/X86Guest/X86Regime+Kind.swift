public import Paging
import X86
import X86Legacy32
import X86Long
import X86PAE

extension X86Regime {
  /// What an entry is at a level; without paging there are no entries.
  ///
  /// Level 3 of PAE is a PDPTE register, which hardware checks when it is loaded.
  public func kind(of entry: UInt64, at level: Level) -> EntryKind {
    switch self {
    case .none: .notPresent
    case .legacy32(let regime):
      regime.format.kind(of: UInt32(truncatingIfNeeded: entry), at: level)
    case .pae(let regime):
      level == .directoryPointer
        ? Self.kind(ofPointer: entry, regime.format) : regime.format.kind(of: entry, at: level)
    case .long4(let regime): regime.format.kind(of: entry, at: level)
    case .long5(let regime): regime.format.kind(of: entry, at: level)
    }
  }

  private static func kind(ofPointer entry: UInt64, _ format: PAE) -> EntryKind {
    if entry & 1 == 0 { return .notPresent }
    // Bits 8:5 and 2:1; above the address what every entry of the format has reserved, and XD.
    if entry & 0x8000_0000_0000_01E6 != 0 { return .reserved }
    return format.kind(of: entry, at: .directory) == .table ? .table : .reserved
  }
}
