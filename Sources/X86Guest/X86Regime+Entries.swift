public import Paging
public import X86
import X86Long

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
