public import Paging

/// The memory type that a leaf's bits and what stands in for MTRRs make together.
///
/// **Source** Intel SDM Vol. 3A, "Selecting Memory Types for Pentium III and More Recent Processor
/// Families"; Vol. 3C, "Memory Type Used for Translated Guest-Physical Addresses".
public struct EffectiveMemoryType: Hashable, Sendable {
  /// What says the type of the physical range.
  public enum Range: Hashable, Sendable {
    /// The MTRRs.
    case mtrr(MemoryType)
    /// An EPT leaf: bits 5:3, and bit 6, which leaves PAT out.
    case ept(MemoryType, ignoresPAT: Bool)

    var type: MemoryType {
      switch self {
      case .mtrr(let type), .ept(let type, _): type
      }
    }
  }

  /// The entry of IA32_PAT that the leaf chooses. **Bits** PAT 2, PCD 1, PWT 0.
  public let index: Int
  /// What that entry says; UC where it holds no type.
  public let attribute: PageAttribute
  /// What the range says.
  public let range: Range
  /// The type in effect.
  public let type: MemoryType

  /// Combines them.
  ///
  /// - Parameters:
  ///   - leaf: the entry that maps the page; `nil` with paging off, which is WB.
  ///   - level: the leaf's.
  ///   - cacheDisable: CR0.CD, which makes all memory UC.
  public init(
    leaf: UInt64?, at level: Level, _ table: PageAttributeTable = .afterReset,
    range: Range = .mtrr(.writeBack), cacheDisable: Bool = false
  ) {
    index = leaf.map { PageAttributeTable.index(ofLeaf: $0, at: level) } ?? 0
    attribute = leaf == nil ? .type(.writeBack) : table[index] ?? .type(.uncacheable)
    self.range = range
    if cacheDisable {
      type = .uncacheable
    } else if case .ept(let type, ignoresPAT: true) = range {
      self.type = type
    } else {
      type = attribute.combined(withRange: range.type)
    }
  }
}
