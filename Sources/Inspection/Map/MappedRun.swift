public import Paging

/// Pages of equal permissions that follow each other.
public struct MappedRun: Hashable, Sendable {
  /// The first address.
  public let start: GVA
  /// **Units** bytes; 2^64 is never reached, since no mode maps all addresses.
  public internal(set) var size: UInt64
  /// What each page grants.
  public let permissions: Permissions

  /// A run.
  public init(start: GVA, size: UInt64, permissions: Permissions) {
    self.start = start
    self.size = size
    self.permissions = permissions
  }

  /// The first address after the run; 0 where it ends with the last address of all.
  public var end: GVA { start.wrappingAdd(size) }
}

extension MappedRun: MapElement {
  /// A run of one page.
  public init(_ page: MappedPage) {
    self.init(start: page.start, size: page.size.bytes, permissions: page.permissions)
  }

  /// Runs of equal permissions join where one ends and the other begins.
  public mutating func absorb(_ next: MappedRun) -> Bool {
    guard next.permissions == permissions, next.start == end else { return false }
    size += next.size
    return true
  }
}
