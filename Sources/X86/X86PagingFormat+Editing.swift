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
  public func widened(_ entry: Entry, at level: Level, by permissions: Permissions) -> Entry {
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

  /// R/W, U/S and XD anew.
  public func restricted(_ leaf: Entry, at level: Level, to permissions: Permissions) -> Entry {
    var raw = UInt64(leaf) & ~(X86Rights.writeBit | X86Rights.userBit)
    if permissions.contains(.write) { raw |= X86Rights.writeBit }
    if permissions.contains(.user) { raw |= X86Rights.userBit }
    if controls.executeDisable, Entry.bitWidth == 64 {
      raw &= ~X86Rights.executeBit
      if !permissions.contains(.execute) { raw |= X86Rights.executeBit }
    }
    return Entry(truncatingIfNeeded: raw)
  }

  /// All flags stay; PAT moves from bit 12 to bit 7 where the part is a 4 KiB page.
  public func part(_ index: UInt64, of leaf: Entry, at level: Level) -> Entry? {
    let below = level.below
    guard below >= .pageTable, let size = leafSizes.first(where: { $0.level == below })?.size
    else { return nil }
    let raw = UInt64(leaf)
    let base = page(in: leaf, at: level).base &+ index &* size.bytes
    if Entry.bitWidth == 32, base >> 32 != 0 { return nil }
    // Bits 11:0 but PS; above the address what software, keys and XD keep there.
    var result = raw & 0xF7F | raw & 0xFFF0_0000_0000_0000 | base
    if below == .pageTable {
      result |= raw >> 5 & 0x80
    } else {
      result |= 0x80 | raw & 0x1000
    }
    return Entry(truncatingIfNeeded: result)
  }
}
