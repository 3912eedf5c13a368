/// A table that could go when the pool of table pages is short.
public struct ZapCandidate: Sendable, Hashable {
  /// The first guest frame that it maps.
  public let gfn: GFN
  /// Its level.
  public let level: Level
  /// Since it was used. **Units** faults; under a second level, whose hardware does not tell, since it
  /// was linked, in faults that linked a table.
  public let age: UInt64

  /// A candidate.
  public init(gfn: GFN, level: Level, age: UInt64) {
    self.gfn = gfn
    self.level = level
    self.age = age
  }
}
