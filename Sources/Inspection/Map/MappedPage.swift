public import Paging

/// One page of an address space.
public struct MappedPage: Hashable, Sendable {
  /// Its first address.
  public let start: GVA
  /// Where it lies.
  public let gpa: GPA
  /// Its size.
  public let size: PageSize
  /// What all entries grant together.
  public let permissions: Permissions
  /// The entry that maps it.
  public let leaf: UInt64

  /// A page.
  public init(start: GVA, gpa: GPA, size: PageSize, permissions: Permissions, leaf: UInt64) {
    self.start = start
    self.gpa = gpa
    self.size = size
    self.permissions = permissions
    self.leaf = leaf
  }
}

extension MappedPage: MapElement {
  /// The page itself.
  public init(_ page: MappedPage) { self = page }
  /// Pages stay apart.
  public mutating func absorb(_ next: MappedPage) -> Bool { false }
}
