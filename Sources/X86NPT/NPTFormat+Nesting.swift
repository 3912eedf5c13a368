public import Paging

extension NPTAccess: MemoryAccess {
  /// The processor tells of itself, not of the guest.
  @inlinable
  public var isUser: Bool { false }
}

extension NPTFormat: NestedFormat {
  /// Whether two formats read every entry alike.
  public static func == (left: NPTFormat, right: NPTFormat) -> Bool {
    left.capabilities == right.capabilities
  }

  /// Hashes what `==` compares.
  public func hash(into hasher: inout Hasher) { hasher.combine(capabilities) }

  /// 3, 4 or 5.
  public var rootLevel: Level { Level(capabilities.levels) }

  /// A page, or the four entries of the PAE form.
  public var rootTableSize: UInt64 { capabilities.form == .pae ? 32 : 4096 }

  /// A (5) and D (6).
  public var markBits: UInt64 { 0x60 }

  /// No longer walks, no wider addresses, no NX that the host lacks; the host's in a long form.
  public func isContained(in host: NPTFormat) -> Bool {
    let (mine, theirs) = (capabilities, host.capabilities)
    return theirs.form != .pae && mine.levels <= theirs.levels
      && mine.physicalAddressWidth <= theirs.physicalAddressWidth
      && (!mine.noExecute || theirs.noExecute)
  }

  /// The page that nCR3 names, or the 32 bytes in the PAE form; bits 63:M are 0, there 63:32.
  public func selected(by nestedCR3: UInt64) -> (format: NPTFormat, root: TableRoot)? {
    let isPAE = capabilities.form == .pae
    let address = nestedCR3 & ~(isPAE ? 0x1F : 0xFFF)
    guard address & ~(isPAE ? 0xFFFF_FFFF : addressMask) == 0 else { return nil }
    return (self, TableRoot(address))
  }

  /// Nested tables have no flags that a guest could choose.
  public func walking(like guest: NPTFormat) -> NPTFormat { self }

  /// U/S=0 grants nothing, since every access is a user access.
  public func read(_ entry: UInt64, at level: Level) -> GuestEntry {
    var result = GuestEntry(entry, at: level, in: self)
    if !result.permissions.contains(.user) { result.permissions = [] }
    // The top entries of the PAE form have no A, and are as if it were set.
    let hasMarks = capabilities.form != .pae || level.rawValue < 3
    result.isAccessed = !hasMarks || entry & 0x20 != 0
    result.isDirty = entry & 0x40 != 0
    return result
  }

  /// As EXITINFO1 tells it.
  public func access(of exit: NestedPageFault) -> NPTAccess? { exit.info.access }

  /// A nested page fault with its EXITINFO1; there is no linear address.
  public static func reflection(of exit: NestedPageFault) -> ReflectedExit {
    ReflectedExit(cause: exit.cause, information: exit.info.rawValue, gpa: exit.gpa, gva: nil)
  }
}
