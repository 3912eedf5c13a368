public import Paging
public import X86
import X86Legacy32
import X86Long
import X86PAE

extension X86Regime {
  /// The address that a walk translates: without the tag that LAM ignores, or its low 32 bits in the
  /// 32-bit modes (SPEC W1, W13).
  public func linearAddress(of address: GVA, for access: X86Access) -> GVA {
    switch self {
    case .none, .legacy32, .pae: address.wrapped32
    case .long4(let regime): regime.format.untagged(address, for: access)
    case .long5(let regime): regime.format.untagged(address, for: access)
    }
  }

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

  /// Which bits make an entry a reserved one; 0 where it is not.
  ///
  /// A bit counts where it alone, with P and a legal PS, is refused by the mode.
  public func reservedBits(in entry: UInt64, at level: Level) -> UInt64 {
    guard kind(of: entry, at: level) == .reserved else { return 0 }
    let pageSizeBit: UInt64 = 1 << 7
    var base: UInt64 = 1
    var found: UInt64 = 0
    if entry & pageSizeBit != 0, level > .pageTable {
      if kind(of: base | pageSizeBit, at: level) == .reserved {
        found = pageSizeBit
      } else {
        base |= pageSizeBit
      }
    }
    for bit in UInt64(1)..<64 where entry >> bit & 1 != 0 && base >> bit & 1 == 0 {
      if kind(of: base | 1 << bit, at: level) == .reserved { found |= 1 << bit }
    }
    return found
  }
}
