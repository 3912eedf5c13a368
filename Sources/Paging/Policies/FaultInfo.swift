/// A fault as policies see it.
@frozen
public struct FaultInfo: Sendable, Hashable {
  /// The guest physical address that was asked for.
  public let gpa: GPA
  /// The guest virtual address, where hardware says it.
  public let gva: GVA?
  /// What was asked.
  public let kind: AccessKind
  /// Whether the guest was in user mode.
  public let isUser: Bool
  /// Whether a memslot holds the address.
  public let hasSlot: Bool
  /// The largest level that slot, host backing and guest allow.
  public let largestLevel: Level
  /// Which vCPU faulted.
  public let vcpu: Int

  /// A fault.
  @inlinable
  public init(
    gpa: GPA, gva: GVA?, kind: AccessKind, isUser: Bool, hasSlot: Bool, largestLevel: Level,
    vcpu: Int
  ) {
    self.gpa = gpa
    self.gva = gva
    self.kind = kind
    self.isUser = isUser
    self.hasSlot = hasSlot
    self.largestLevel = largestLevel
    self.vcpu = vcpu
  }
}
