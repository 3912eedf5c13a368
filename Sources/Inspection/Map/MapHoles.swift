public import Paging

/// What a visit could not follow: not in the image is not the same as not mapped.
public struct MapHoles: Hashable, Sendable {
  /// Tables of which entries are not in the image, each counted as often as it is reached.
  public internal(set) var unreadableTables = 0
  /// Where the first of those entries would be.
  public internal(set) var firstUnreadable: GPA?
  /// Present entries with reserved bits.
  public internal(set) var malformedEntries = 0

  /// Nothing was left out.
  public init() {}

  mutating func add(_ entry: GPA) {
    unreadableTables += 1
    if firstUnreadable == nil { firstUnreadable = entry }
  }

  mutating func add(_ other: MapHoles) {
    unreadableTables += other.unreadableTables
    firstUnreadable = firstUnreadable ?? other.firstUnreadable
    malformedEntries += other.malformedEntries
  }
}
