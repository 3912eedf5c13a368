/// How often large pages gave way to small ones that may be executed (SPEC T6).
public struct NXHugePageCounts: Sendable, Hashable {
  /// Tables of small pages that stand where a large page could be. **Units** tables.
  public var current = 0
  /// All that were ever made. **Units** tables.
  public var made = 0
  /// Those that a recovery gave back. **Units** tables.
  public var recovered = 0

  /// Counts.
  public init(current: Int = 0, made: Int = 0, recovered: Int = 0) {
    (self.current, self.made, self.recovered) = (current, made, recovered)
  }
}
