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

  /// A (5) and D (6).
  public var markBits: UInt64 { 0x60 }

  /// No longer walks, no wider addresses, no NX that the host lacks; both in the long form.
  public func isContained(in host: NPTFormat) -> Bool {
    let (mine, theirs) = (capabilities, host.capabilities)
    return mine.form != .pae && theirs.form != .pae && mine.levels <= theirs.levels
      && mine.physicalAddressWidth <= theirs.physicalAddressWidth
      && (!mine.noExecute || theirs.noExecute)
  }

  /// The page that nCR3 names; bits 51:M are 0.
  ///
  /// **Not modelled** the PAE form inside a guest, whose root table is no page.
  public func selected(by nestedCR3: UInt64) -> (format: NPTFormat, root: TableRoot)? {
    let address = nestedCR3 & ~0xFFF
    guard capabilities.form != .pae, address & ~addressMask == 0 else { return nil }
    return (self, TableRoot(address))
  }

  /// Nested tables have no flags that a guest could choose.
  public func walking(like guest: NPTFormat) -> NPTFormat { self }

  /// U/S=0 grants nothing, since every access is a user access.
  public func read(_ entry: UInt64, at level: Level) -> GuestEntry {
    var result = GuestEntry(entry, at: level, in: self)
    if !result.permissions.contains(.user) { result.permissions = [] }
    result.isAccessed = entry & 0x20 != 0
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
