public import Paging

/// An x86 format whose entries software can make.
public protocol EditableX86Format: X86PagingFormat, EditablePagingFormat {
  /// The levels whose leaves the processor can use, with the size of each.
  var leafSizes: [(level: Level, size: PageSize)] { get }
}

extension EditableX86Format {
  /// P, R/W, U/S and A.
  public func tableEntry(_ table: UInt64, at level: Level) -> Entry {
    Entry(truncatingIfNeeded: table | 0x27)
  }

  /// P, R/W, U/S and XD as the permissions say, PS above the last level; A and D clear.
  public func leafEntry(_ page: UInt64, at level: Level, _ permissions: Permissions) -> Entry {
    var raw = page | 1
    if permissions.contains(.write) { raw |= X86Rights.writeBit }
    if permissions.contains(.user) { raw |= X86Rights.userBit }
    if level > .pageTable { raw |= 0x80 }
    if controls.executeDisable, !permissions.contains(.execute), Entry.bitWidth == 64 {
      raw |= X86Rights.executeBit
    }
    return Entry(truncatingIfNeeded: raw)
  }

  /// R/W and U/S set, XD cleared, where they are wanted.
  public func widened(_ entry: Entry, by permissions: Permissions) -> Entry {
    var raw = UInt64(entry)
    if permissions.contains(.write) { raw |= X86Rights.writeBit }
    if permissions.contains(.user) { raw |= X86Rights.userBit }
    if permissions.contains(.execute), Entry.bitWidth == 64 { raw &= ~X86Rights.executeBit }
    return Entry(truncatingIfNeeded: raw)
  }

  /// As `leafSizes` says.
  public func leafLevel(of size: PageSize) -> Level? {
    leafSizes.first { $0.size == size }?.level
  }
}
