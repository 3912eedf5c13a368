public import Paging

/// What an entry of IA32_PAT says: a memory type, or `UC-`, which an MTRR can overrule.
///
/// **Source** Intel SDM Vol. 3A, "IA32_PAT MSR", the table of memory types that can be encoded.
@frozen
public enum PageAttribute: Hashable, Sendable {
  /// A type that MTRRs know too.
  case type(MemoryType)
  /// `UC-`: uncacheable, unless the MTRR says WC.
  case uncacheableMinus

  /// The attribute of a byte of the register, or `nil` where a write of it would fault.
  public init?(rawValue: UInt8) {
    if rawValue == 7 {
      self = .uncacheableMinus
    } else if let type = MemoryType(rawValue: rawValue) {
      self = .type(type)
    } else {
      return nil
    }
  }

  /// The type of a page whose MTRR, or whose EPT leaf, says `range`.
  ///
  /// **Source** Intel SDM Vol. 3A, "Selecting Memory Types for Pentium III and More Recent Processor
  /// Families", the table of effective page-level memory types; Vol. 3C, "EPT and Memory Typing".
  public func combined(withRange range: MemoryType) -> MemoryType {
    switch self {
    case .uncacheableMinus:
      range == .writeCombining || range == .writeProtected ? .writeCombining : .uncacheable
    case .type(.uncacheable): .uncacheable
    case .type(.writeCombining): .writeCombining
    case .type(.writeBack): range
    case .type(let type):
      range == .uncacheable || range == .writeCombining ? .uncacheable : type
    }
  }
}

extension PageAttribute: CustomStringConvertible {
  /// The manual's abbreviation.
  public var description: String {
    switch self {
    case .uncacheableMinus: "UC-"
    case .type(let type): type.abbreviation
    }
  }
}

extension MemoryType {
  /// The manual's abbreviation.
  public var abbreviation: String {
    switch self {
    case .uncacheable: "UC"
    case .writeCombining: "WC"
    case .writeThrough: "WT"
    case .writeProtected: "WP"
    case .writeBack: "WB"
    }
  }
}
