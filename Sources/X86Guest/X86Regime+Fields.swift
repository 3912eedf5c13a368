public import Paging
import X86
import X86Legacy32
import X86Long
import X86PAE

extension X86Regime {
  /// The layout of an entry at a level of the mode; empty where paging is off.
  public func fields(of entry: UInt64, at level: Level) -> [BitField] {
    switch self {
    case .none: []
    case .legacy32(let regime):
      regime.format.fields(of: UInt32(truncatingIfNeeded: entry), at: level)
    case .pae(let regime): regime.format.fields(of: entry, at: level)
    case .long4(let regime): regime.format.fields(of: entry, at: level)
    case .long5(let regime): regime.format.fields(of: entry, at: level)
    }
  }

  /// The manual's name of an entry at a level of the mode, such as `PDE`.
  public func entryName(at level: Level) -> String {
    switch self {
    case .none: "none"
    case .legacy32(let regime): regime.format.entryName(at: level)
    case .pae(let regime): regime.format.entryName(at: level)
    case .long4(let regime): regime.format.entryName(at: level)
    case .long5(let regime): regime.format.entryName(at: level)
    }
  }
}
