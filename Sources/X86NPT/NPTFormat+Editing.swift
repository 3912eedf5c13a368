public import Paging

extension NPTFormat: EditablePagingFormat {
  /// P, R/W and U/S; the top entries of the PAE form have P alone.
  public func tableEntry(_ table: UInt64, at level: Level) -> UInt64 {
    let isTop = capabilities.form == .pae && level == .directoryPointer
    return table & addressMask | (isTop ? 1 : 7)
  }

  /// P and U/S, and R/W and NX as the permissions say; A and D clear.
  public func leafEntry(_ page: UInt64, at level: Level, _ permissions: Permissions) -> UInt64 {
    page & addressMask | (level > .pageTable ? 0x80 : 0) | bits(permissions)
  }

  /// Tables take nothing away; the top entries of the PAE form have nothing to take.
  public func widened(
    _ entry: UInt64, at level: Level, by permissions: Permissions
  ) -> UInt64 {
    if capabilities.form == .pae, level == .directoryPointer { return entry }
    var wide = entry
    if permissions.contains(.write) { wide |= 2 }
    if permissions.contains(.execute) { wide &= ~(1 << 63) }
    return wide | 4
  }

  /// 4 KiB, 2 MiB, and 1 GiB in the long forms where the processor can.
  public func leafLevel(of size: PageSize) -> Level? {
    switch size {
    case .size4KiB: .pageTable
    case .size2MiB: .directory
    case .size1GiB where capabilities.form != .pae && capabilities.pages1GiB: .directoryPointer
    default: nil
    }
  }

  /// R/W and NX anew.
  public func restricted(
    _ leaf: UInt64, at level: Level, to permissions: Permissions
  ) -> UInt64 {
    leaf & ~(1 << 63 | 7) | bits(permissions)
  }

  /// All flags stay but PS in a 4 KiB page.
  public func part(_ index: UInt64, of leaf: UInt64, at level: Level) -> UInt64? {
    let below = level.below
    guard below >= .pageTable else { return nil }
    let size = PageSize(shift: 3 + 9 * below.rawValue)
    let base = page(in: leaf, at: level).base &+ index &* size.bytes
    return leaf & ~addressMask & ~0x80 | base | (below > .pageTable ? 0x80 : 0)
  }

  private func bits(_ permissions: Permissions) -> UInt64 {
    var bits: UInt64 = permissions.isDisjoint(with: [.read, .write, .execute]) ? 0 : 5
    if permissions.contains(.write) { bits |= 2 }
    if capabilities.noExecute, !permissions.contains(.execute) { bits |= 1 << 63 }
    return bits
  }
}
