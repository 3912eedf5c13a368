/// A format that translates guest physical addresses: EPT or NPT.
public protocol SecondLevelFormat: PagingFormat where Input == GuestPhysical {
  /// The access that the hardware makes to a guest's table entry.
  ///
  /// - Parameters:
  ///   - update: whether an A or D bit is written; false for the read.
  ///   - gva: the address whose walk reads the entry; `nil` for a load of PDPTE registers.
  func tableAccess(update: Bool, for gva: GVA?) -> Access

  /// The access to the page that a guest's walk arrived at.
  ///
  /// - Parameters:
  ///   - kind: how the tables are accessed.
  ///   - isUser: whether the guest's page is a user page, for formats that tell those apart.
  ///   - gva: the address whose walk reads through this memory.
  func finalAccess(_ kind: AccessKind, isUser: Bool, for gva: GVA) -> Access
}
