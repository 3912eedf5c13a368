/// Where an address leads, and with what rights.
@frozen
public struct Translation<Output: AddressKind, Rights: Sendable>: Sendable {
  /// The translated address, the offset inside the page added.
  public let address: Address<Output>
  /// The size of the page that the leaf maps.
  public let pageSize: PageSize
  /// The level of the leaf.
  public let level: Level
  /// What all entries grant together, the leaf included (`pte_access`).
  public let rights: Rights
  /// What the entries above the leaf grant (`pt_access`).
  public let tableRights: Rights
  /// The leaf entry as the walk left it, widened to 64 bits.
  public let leaf: UInt64

  /// A finished walk's result.
  @inlinable
  public init(
    address: Address<Output>, pageSize: PageSize, level: Level, rights: Rights,
    tableRights: Rights, leaf: UInt64
  ) {
    self.address = address
    self.pageSize = pageSize
    self.level = level
    self.rights = rights
    self.tableRights = tableRights
    self.leaf = leaf
  }

  /// The first byte of the page.
  @inlinable
  public var pageBase: Address<Output> { address.roundedDown(to: pageSize) }
}
