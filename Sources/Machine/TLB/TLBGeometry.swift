/// The size and shape of a TLB.
public struct TLBGeometry: Sendable, Hashable {
  /// **Units** entries of 4 KiB.
  public let entries: Int
  /// Entries that one address may be in.
  public let ways: Int

  /// A shape.
  ///
  /// - Returns: `nil` unless both are positive, at most 2^20 entries, and `entries / ways` is a power
  ///   of two.
  public init?(entries: Int, ways: Int) {
    guard entries > 0, entries <= 1 << 20, ways > 0, ways <= entries, entries % ways == 0,
      (entries / ways).nonzeroBitCount == 1
    else { return nil }
    self.entries = entries
    self.ways = ways
  }

  /// 1,536 entries in 6 ways, as in many server processors.
  public static let standard = TLBGeometry(unchecked: 1536, ways: 6)

  @inlinable
  init(unchecked entries: Int, ways: Int) {
    self.entries = entries
    self.ways = ways
  }
}
