/// The paging modes of x86.
@frozen
public enum X86Mode: String, Sendable, Hashable, CaseIterable {
  /// CR0.PG = 0: addresses are physical.
  case none
  /// Two levels of 4-byte entries.
  case legacy32
  /// Four PDPTE registers and two levels of 8-byte entries.
  case pae
  /// Four levels.
  case long4
  /// Five levels.
  case long5
}
