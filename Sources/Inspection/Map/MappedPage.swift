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

/// What an address space is listed as.
public protocol MapElement: Sendable {
  /// A page as the first of an element.
  init(_ page: MappedPage)
  /// Takes the element that follows into this one, where the two are one.
  mutating func absorb(_ next: Self) -> Bool
}

extension MappedPage: MapElement {
  /// The page itself.
  public init(_ page: MappedPage) { self = page }
  /// Pages stay apart.
  public mutating func absorb(_ next: MappedPage) -> Bool { false }
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
