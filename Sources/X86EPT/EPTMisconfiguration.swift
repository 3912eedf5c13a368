public import Paging

/// An EPT misconfiguration.
@frozen
public struct EPTMisconfiguration: Hashable, Sendable {
  /// The address.
  public let gpa: GPA
  /// The level of the malformed entry; a model's courtesy that no VMCS field holds.
  public let level: Level
  /// The malformed entry; likewise.
  public let entry: UInt64

  /// A misconfiguration.
  @inlinable
  public init(gpa: GPA, level: Level, entry: UInt64) {
    self.gpa = gpa
    self.level = level
    self.entry = entry
  }
}
