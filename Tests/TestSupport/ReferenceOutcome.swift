/// What a reference walk ends with.
package enum ReferenceOutcome: Hashable, Sendable {
  case translated(ReferenceTranslation)
  /// A page fault with its CR2.
  case pageFault(error: UInt32, level: Int, cause: String, cr2: UInt64)
  /// A bad address: vector 13 or 12.
  case badAddress(vector: Int, cause: String)
  case unreadable(entry: UInt64, level: Int)
}

/// A translation: numbers and rights.
package struct ReferenceTranslation: Hashable, Sendable {
  package var pa: UInt64
  package var pageSize: UInt64
  package var level: Int
  package var writable: Bool
  package var user: Bool
  package var executable: Bool
  package var tablesWritable: Bool
  package var tablesUser: Bool
  package var tablesExecutable: Bool
  package var leaf: UInt64

  package init(
    pa: UInt64, pageSize: UInt64, level: Int, writable: Bool, user: Bool, executable: Bool,
    tablesWritable: Bool, tablesUser: Bool, tablesExecutable: Bool, leaf: UInt64
  ) {
    self.pa = pa
    self.pageSize = pageSize
    self.level = level
    self.writable = writable
    self.user = user
    self.executable = executable
    self.tablesWritable = tablesWritable
    self.tablesUser = tablesUser
    self.tablesExecutable = tablesExecutable
    self.leaf = leaf
  }
}
