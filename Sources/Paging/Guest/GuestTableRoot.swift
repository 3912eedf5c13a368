/// Where a guest's walks begin.
@frozen
public enum GuestTableRoot: Sendable, Hashable {
  /// No tables: addresses are physical.
  case none
  /// A table in memory.
  case table(GPA)
  /// Four registers that hold the entries above the highest table in memory (PAE).
  case registers(SIMD4<UInt64>)

  /// The table, where there is one.
  public var table: GPA? {
    if case .table(let gpa) = self { return gpa }
    return nil
  }
}
