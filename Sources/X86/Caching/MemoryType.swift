/// How the processor caches a page.
///
/// **Source** Intel SDM Vol. 3A, "Methods of Caching Available".
@frozen
public enum MemoryType: UInt8, Sendable, Hashable, CaseIterable {
  /// `UC`: strong uncacheable.
  case uncacheable = 0
  /// `WC`: write combining.
  case writeCombining = 1
  /// `WT`: write through.
  case writeThrough = 4
  /// `WP`: write protected.
  case writeProtected = 5
  /// `WB`: write back.
  case writeBack = 6
  /// `UC-`: uncacheable, unless an MTRR says WC; a PAT entry alone can say so.
  case uncacheableMinus = 7

  /// Whether an MTRR or an EPT leaf can hold the type.
  public var isForMTRR: Bool { self != .uncacheableMinus }
}

extension MemoryType: CustomStringConvertible {
  /// The manual's abbreviation.
  public var description: String {
    switch self {
    case .uncacheable: "UC"
    case .writeCombining: "WC"
    case .writeThrough: "WT"
    case .writeProtected: "WP"
    case .writeBack: "WB"
    case .uncacheableMinus: "UC-"
    }
  }
}

extension MemoryType {
  /// The type of a page whose PAT entry says this and whose MTRR, or whose EPT leaf, says `range`.
  ///
  /// `range` is never `UC-`; where it is, it is taken for `UC`.
  ///
  /// **Source** Intel SDM Vol. 3A, "Selecting Memory Types for Pentium III and More Recent Processor
  /// Families", the table of effective page-level memory types; Vol. 3C, "EPT and Memory Typing".
  public func combined(withRange range: MemoryType) -> MemoryType {
    switch self {
    case .uncacheable: .uncacheable
    case .uncacheableMinus:
      range == .writeCombining || range == .writeProtected ? .writeCombining : .uncacheable
    case .writeCombining: .writeCombining
    case .writeThrough, .writeProtected:
      switch range {
      case .writeThrough, .writeProtected, .writeBack: self
      case .uncacheable, .writeCombining, .uncacheableMinus: .uncacheable
      }
    case .writeBack: range == .uncacheableMinus ? .uncacheable : range
    }
  }
}
