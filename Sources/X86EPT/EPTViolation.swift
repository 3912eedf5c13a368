public import Paging

/// An EPT violation.
@frozen
public struct EPTViolation: Hashable, Sendable {
  /// The address.
  public let gpa: GPA
  /// The linear address, where the qualification says it is valid.
  public let gva: GVA?
  /// The exit qualification.
  public let qualification: EPTQualification
  /// Whether the entry lets the violation become a #VE (bit 63 clear).
  public let isConvertible: Bool
  /// The level of the entry that ended the walk; a model's courtesy that no VMCS field holds.
  public let level: Level

  /// A violation.
  @inlinable
  public init(
    gpa: GPA, gva: GVA?, qualification: EPTQualification, isConvertible: Bool, level: Level
  ) {
    self.gpa = gpa
    self.gva = gva
    self.qualification = qualification
    self.isConvertible = isConvertible
    self.level = level
  }
}
