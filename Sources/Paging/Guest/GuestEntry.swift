/// An entry of a guest's table, read.
@frozen
public struct GuestEntry: Sendable, Hashable {
  /// What it is.
  public var kind: EntryKind
  /// The table or page it points to; 0 unless it points anywhere.
  public var base: GPA
  /// The size of the page that a leaf maps.
  public var pageSize: PageSize
  /// What it grants by itself.
  public var permissions: Permissions
  /// Whether it is marked as used.
  public var isAccessed: Bool
  /// Whether a leaf is marked as written.
  public var isDirty: Bool
  /// The protection key of a leaf.
  public var protectionKey: UInt8

  /// An entry.
  @inlinable
  public init(
    kind: EntryKind, base: GPA = GPA(0), pageSize: PageSize = .size4KiB,
    permissions: Permissions = [], isAccessed: Bool = false, isDirty: Bool = false,
    protectionKey: UInt8 = 0
  ) {
    self.kind = kind
    self.base = base
    self.pageSize = pageSize
    self.permissions = permissions
    self.isAccessed = isAccessed
    self.isDirty = isDirty
    self.protectionKey = protectionKey
  }
}

extension GuestEntry {
  /// An entry as a format reads it; marks and key are left to those who know where they are.
  @inlinable
  public init<Format: PagingFormat>(
    _ entry: Format.Entry, at level: Level, in format: Format
  ) {
    self.init(kind: format.kind(of: entry, at: level))
    switch kind {
    case .notPresent, .reserved: return
    case .table: base = GPA(format.table(in: entry, at: level))
    case .leaf:
      let page = format.page(in: entry, at: level)
      base = GPA(page.base)
      pageSize = page.size
    }
    var rights = format.unrestricted
    format.narrow(&rights, by: entry, at: level)
    permissions = format.permissions(of: rights)
  }
}
