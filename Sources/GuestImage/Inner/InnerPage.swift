public import Paging

/// Where a second level says that a page of the inner guest lies.
public struct InnerPage: Sendable {
  /// The address in the memory of the imaged guest.
  public let address: HPA
  /// The size of the second level's page.
  public let pageSize: PageSize
  /// The level of its leaf.
  public let level: Level
  /// What the second level grants.
  public let permissions: Permissions
  /// The memory type of an EPT leaf, and whether it leaves PAT out; `nil` with NPT.
  public let caching: (type: MemoryType, ignoresPAT: Bool)?

  init<Format: SecondLevelFormat>(
    _ translation: Translation<HostPhysical, Format.Rights>, _ format: Format,
    caching: (type: MemoryType, ignoresPAT: Bool)?
  ) {
    address = translation.address
    pageSize = translation.pageSize
    level = translation.level
    permissions = format.permissions(of: translation.rights)
    self.caching = caching
  }
}
