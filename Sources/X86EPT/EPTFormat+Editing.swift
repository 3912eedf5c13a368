public import Paging

extension EPTFormat: BuildablePagingFormat {
  /// R, W, X (and user execute), A where hardware keeps it.
  public func tableEntry(_ table: UInt64, at level: Level) -> UInt64 {
    table & addressMask | presentMask | (capabilities.accessedDirty ? 1 << 8 : 0)
  }

  /// R, W and X as the permissions say, memory type WB; A and D clear.
  public func leafEntry(_ page: UInt64, at level: Level, _ permissions: Permissions) -> UInt64 {
    page & addressMask | 6 << 3 | (level > .pageTable ? 0x80 : 0) | bits(permissions)
  }

  /// R, W and X where they are wanted; a W needs its R.
  public func widened(
    _ entry: UInt64, at level: Level, by permissions: Permissions
  ) -> UInt64 {
    entry | bits(permissions)
  }

  /// 4 KiB, and 2 MiB and 1 GiB where the processor can.
  public func leafLevel(of size: PageSize) -> Level? {
    switch size {
    case .size4KiB: .pageTable
    case .size2MiB where capabilities.pages2MiB: .directory
    case .size1GiB where capabilities.pages1GiB: .directoryPointer
    default: nil
    }
  }

  /// R, W and X anew.
  public func restricted(
    _ leaf: UInt64, at level: Level, to permissions: Permissions
  ) -> UInt64 {
    leaf & ~presentMask | bits(permissions)
  }

  /// All flags stay but PS in a 4 KiB page.
  public func part(_ index: UInt64, of leaf: UInt64, at level: Level) -> UInt64? {
    let below = level.below
    guard below >= .pageTable, below == .pageTable || capabilities.pages2MiB else { return nil }
    let size = PageSize(shift: 3 + 9 * below.rawValue)
    let base = page(in: leaf, at: level).base &+ index &* size.bytes
    return leaf & ~addressMask & ~0x80 | base | (below > .pageTable ? 0x80 : 0)
  }

  /// An EPT PML4 or PML5 table.
  public func makeRoot(takeTable: () -> UInt64?) -> TableRoot? { takeTable().map { TableRoot($0) } }

  /// W without R would be a misconfiguration, and so X alone on some processors.
  private func bits(_ permissions: Permissions) -> UInt64 {
    var bits: UInt64 = 0
    if permissions.contains(.execute) { bits |= executeMask }
    if permissions.contains(.write) { bits |= 3 }
    if permissions.contains(.read) || bits != 0 && !capabilities.executeOnly { bits |= 1 }
    return bits
  }
}
