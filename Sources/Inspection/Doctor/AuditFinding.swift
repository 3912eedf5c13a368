public import Paging

/// Something in the tables of an image that deserves a look.
public struct AuditFinding: Hashable, Sendable {
  /// The kinds.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// Pages that can be written and executed.
    case writableExecutable = "writable and executable"
    /// User pages in the kernel's part of the address space.
    case userInKernel = "user page in the kernel half"
    /// A present entry with reserved bits set.
    case reservedBits = "reserved bits"
    /// An entry that points to a table on its own path.
    case selfMapping = "table maps itself"
    /// A table that the image does not hold: what it maps is not known.
    case missingTable = "table not in the image"
    /// A frame that user pages of two roots map with different permissions.
    case sharedDifferently = "frame shared with other permissions"
  }

  /// What it is.
  public let kind: Kind
  /// The root below which it was met first.
  public let root: GPA
  /// The first address concerned.
  public let gva: GVA
  /// **Units** bytes; of a missing table all that it hides, wherever it is linked.
  public internal(set) var size: UInt64
  /// The entry, the table or the frame.
  public let gpa: GPA
  /// The level of the entry or the table.
  public let level: Level
  /// What all entries grant together; `nil` where nothing is mapped.
  public let permissions: Permissions?
  /// The entry, where one entry is meant.
  public let entry: UInt64?
  /// How many times it was met, neighbours joined.
  public internal(set) var count = 1
  /// One line.
  public let words: String
}
