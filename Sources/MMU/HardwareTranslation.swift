public import Paging

/// What the processor learns from a walk and keeps in its TLB.
@frozen
public struct HardwareTranslation<Rights: Sendable>: Sendable {
  /// The host address of the access.
  public let hpa: HPA
  /// The guest physical address, where the hardware's walk passes one.
  public let gpa: GPA?
  /// What the tables with the guest's rights grant, with and without the leaf.
  public let rights, tableRights: Rights
  /// The leaf those rights come from.
  public let leaf: UInt64
  /// What the second level grants; all where there is none.
  public let hostPermissions: Permissions
  /// Whether a write needs no further D bit.
  public let isDirty: Bool
  /// The guest page's size: INVLPG drops all of it.
  public let guestPageSize: PageSize

  /// A finished walk.
  @inlinable
  public init(
    hpa: HPA, gpa: GPA?, rights: Rights, tableRights: Rights, leaf: UInt64,
    hostPermissions: Permissions, isDirty: Bool, guestPageSize: PageSize
  ) {
    self.hpa = hpa
    self.gpa = gpa
    self.rights = rights
    self.tableRights = tableRights
    self.leaf = leaf
    self.hostPermissions = hostPermissions
    self.isDirty = isDirty
    self.guestPageSize = guestPageSize
  }
}
