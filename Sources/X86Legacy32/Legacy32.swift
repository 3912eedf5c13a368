public import Paging
public import X86

/// Two-level 32-bit paging: 4-byte entries, ten index bits a level, 4 KiB and 4 MiB pages.
///
/// **Source** Intel SDM Vol. 3A, "32-Bit Paging"; AMD APM Vol. 2, "Legacy-Mode Page Translation".
@frozen
public struct Legacy32: X86PagingFormat {
  /// The access rules in force.
  public let controls: X86Controls
  /// CR4.PSE: without it PS is ignored.
  @usableFromInline let pageSizeExtensions: Bool
  /// Reserved in a 4 MiB leaf: 21:(m-19) with PSE-36 and m = min(M, 40), else 21:13 (SPEC W2).
  @usableFromInline let reservedLarge: UInt32
  /// What a PDE that points to a table has clear once bit 0 is inverted.
  // PERF: walk.legacy32.random; one test in place of three.
  @usableFromInline let plainTable: UInt32

  /// The format under the given registers on the given processor.
  public init(_ registers: X86Registers, _ features: X86Features) {
    controls = X86Controls(registers, features)
    pageSizeExtensions = features.pse && registers.cr4.contains(.pageSizeExtensions)
    plainTable = pageSizeExtensions ? 0x81 : 1
    let width = features.pse36 ? min(features.physicalAddressWidth, 40) : 32
    reservedLarge = 0x003F_FFFF & ~((1 << UInt32(width - 19)) - 1)
  }

  /// The root that a CR3 value names: bits 31:12 (SPEC W1).
  @inlinable
  public func root(cr3: UInt64) -> TableRoot { TableRoot(cr3 & 0xFFFF_F000) }

  /// Addresses wrap at 32 bits (SPEC W13).
  @inlinable
  @inline(__always)
  public func start(_ address: GVA, for access: X86Access, at root: TableRoot) -> WalkStart {
    .table(root.address, .directory)
  }

  /// Bits 31:22, then 21:12.
  @inlinable
  @inline(__always)
  public func index(of address: UInt64, at level: Level) -> UInt64 {
    (address &>> (level.rawValue == 2 ? 22 : 12)) & 0x3FF
  }

  /// Present, then PS where PSE is on, then its reserved bits.
  @inlinable
  @inline(__always)
  public func kind(of entry: UInt32, at level: Level) -> EntryKind {
    if level.rawValue == 1 { return entry & 1 == 0 ? .notPresent : .leaf }
    if (entry ^ 1) & plainTable == 0 { return .table }
    if entry & 1 == 0 { return .notPresent }
    return entry & reservedLarge == 0 ? .leaf : .reserved
  }

  /// Bits 31:12.
  @inlinable
  @inline(__always)
  public func table(in entry: UInt32, at level: Level) -> UInt64 { UInt64(entry & 0xFFFF_F000) }

  /// Bits 31:12; in a 4 MiB leaf bits 31:22 with 20:13 as address bits 39:32.
  @inlinable
  @inline(__always)
  public func page(in entry: UInt32, at level: Level) -> PageFrame {
    if level.rawValue == 1 {
      return PageFrame(base: UInt64(entry & 0xFFFF_F000), size: .size4KiB)
    }
    let high = UInt64(entry &>> 13) & 0xFF
    return PageFrame(base: UInt64(entry & 0xFFC0_0000) | high &<< 32, size: .size4MiB)
  }
}

extension Legacy32: EditableX86Format {
  /// 4 KiB, and 4 MiB with CR4.PSE; 4 MiB pages above 4 GiB have their high address bits moved.
  public var leafSizes: [(level: Level, size: PageSize)] {
    pageSizeExtensions
      ? [(.pageTable, .size4KiB), (.directory, .size4MiB)] : [(.pageTable, .size4KiB)]
  }

  /// As the other modes, with address bits 39:32 of a 4 MiB page in bits 20:13.
  public func leafEntry(_ page: UInt64, at level: Level, _ permissions: Permissions) -> UInt32 {
    var raw = UInt32(truncatingIfNeeded: page) | 1
    if permissions.contains(.write) { raw |= 2 }
    if permissions.contains(.user) { raw |= 4 }
    if level > .pageTable { raw |= 0x80 | UInt32(truncatingIfNeeded: page >> 32 & 0xFF) << 13 }
    return raw
  }
}

extension Legacy32: EnumerablePagingFormat {
  /// The page directory.
  @inlinable
  public func rootTables(of root: TableRoot) -> RootTables {
    RootTables(RootTable(root.address, at: .directory))
  }
}

extension Legacy32: BuildablePagingFormat {
  /// A page directory.
  public func makeRoot(takeTable: () -> UInt64?) -> TableRoot? { takeTable().map { TableRoot($0) } }
}
