public import Paging

/// The memory-type range registers (MTRRs): what a physical address is cached as before page tables
/// have a say.
///
/// **Source** Intel SDM Vol. 3A, "Memory Type Range Registers (MTRRs)", "MTRR Precedences".
public struct MemoryTypeRanges: Hashable, Sendable {
  /// One range and its type.
  public struct Range: Hashable, Sendable {
    /// The first address.
    public let base: GPA
    /// **Units** bytes; never 0, and base + size does not pass 2^64.
    public let size: UInt64
    /// What it is cached as.
    public let type: MemoryType

    /// A range, or `nil` where it has no bytes or passes the last address.
    public init?(base: GPA, size: UInt64, type: MemoryType) {
      guard size > 0, base.adding(size - 1) != nil else { return nil }
      self.base = base
      self.size = size
      self.type = type
    }

    func contains(_ address: GPA) -> Bool {
      address >= base && address.rawValue - base.rawValue < size
    }
  }

  /// What addresses in no range are cached as.
  public var defaultType: MemoryType
  /// The ranges, in any order; they may overlap.
  public var ranges: [Range]

  /// Ranges over a default.
  public init(defaultType: MemoryType = .writeBack, ranges: [Range] = []) {
    self.defaultType = defaultType
    self.ranges = ranges
  }

  /// The type of an address: where ranges overlap UC wins, and WT over WB; other overlaps are not
  /// defined and taken as UC.
  public func type(of address: GPA) -> MemoryType {
    var answer: MemoryType?
    for range in ranges where range.contains(address) {
      switch (answer, range.type) {
      case (nil, let type): answer = type
      case (let type?, let other) where type == other: continue
      case (.writeThrough, .writeBack), (.writeBack, .writeThrough): answer = .writeThrough
      default: return .uncacheable
      }
    }
    return answer ?? defaultType
  }
}
