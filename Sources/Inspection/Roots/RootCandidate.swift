public import Paging
public import X86

/// A page-table root that was found in memory.
public struct RootCandidate: Hashable, Sendable {
  /// Where the top table lies: what CR3 would hold without its flags.
  public let root: GPA
  /// The paging mode in which it is one.
  public let mode: X86Mode
  /// How many pages it maps; `Int32.max` for that many or more. **Units** pages.
  public let mappings: Int
  /// How sure it is. **Range** 0...1.
  public internal(set) var score: Double
  /// How many roots map the upper part of the address space by the same entries, this one included.
  public internal(set) var sharing: Int
  /// Whether the lower part of the address space maps anything.
  public let mapsLowerPart: Bool
  /// Whether it is the kernel's own table, from which those of processes are made.
  public internal(set) var isKernelReference: Bool
  /// What speaks for it, a few words each.
  public internal(set) var reasons: [String]
}
