public import Paging

/// One use that an address space makes of a guest-physical address.
public struct FrameUse: Hashable, Sendable {
  /// What it is used as.
  public enum Role: String, Hashable, Sendable {
    /// A page that a leaf maps.
    case page
    /// A page table.
    case table
  }

  /// The address that was asked for.
  public let gpa: GPA
  /// CR3's table.
  public let root: GPA
  /// The virtual address of it; of a table the first address that the table covers.
  public let gva: GVA
  /// What it is used as.
  public let role: Role
  /// The level of the leaf, or of the table.
  public let level: Level
  /// The size of the page, or of what the table covers.
  public let size: PageSize
  /// What all entries grant together; of a table what those above it grant.
  public let permissions: Permissions
}
