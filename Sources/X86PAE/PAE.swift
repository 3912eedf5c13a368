public import Paging
public import X86

/// PAE paging: four PDPTE registers, then two levels of 8-byte entries; 4 KiB and 2 MiB pages.
///
/// The top level is in registers, so a walk reads two entries and the root is `PDPTERegisters`.
///
/// **Source** Intel SDM Vol. 3A, "PAE Paging".
@frozen
public struct PAE: X86PagingFormat, NineBitFormat {
  /// The access rules in force.
  public let controls: X86Controls
  /// M-1:12.
  public let addressMask: UInt64
  /// Reserved in every entry: 62:M, and XD while EFER.NXE=0.
  @usableFromInline let reservedAlways: UInt64

  /// The format under the given registers on the given processor.
  public init(_ registers: X86Registers, _ features: X86Features) {
    controls = X86Controls(registers, features)
    addressMask = features.physicalAddressMask & ~0xFFF
    let high = ~X86Rights.executeBit & ~features.physicalAddressMask
    reservedAlways = high | (controls.executeDisable ? 0 : X86Rights.executeBit)
  }

  /// Takes the directory from a register; they have no R/W, U/S or A (SPEC W3).
  @inlinable
  @inline(__always)
  public func start(_ address: GVA, for access: X86Access, at root: PDPTERegisters) -> WalkStart {
    let entry = root[Int(truncatingIfNeeded: address.rawValue &>> 30)]
    if entry & 1 == 0 { return .refused(.notPresent, .directoryPointer) }
    return .table(entry & addressMask, .directory)
  }

  /// Present, then reserved bits, then PS.
  @inlinable
  @inline(__always)
  public func kind(of entry: UInt64, at level: Level) -> EntryKind {
    // PERF: walk.pae.random; with P inverted, one test a level tells a plain entry.
    let inverted = entry ^ 1
    if level.rawValue == 1 {
      if inverted & (reservedAlways | 1) == 0 { return .leaf }
    } else {
      if inverted & (reservedAlways | 0x81) == 0 { return .table }
      if entry & 0x81 == 0x81 {
        return entry & (reservedAlways | 0x1F_E000) == 0 ? .leaf : .reserved
      }
    }
    return entry & 1 == 0 ? .notPresent : .reserved
  }
}

extension PAE: EditableX86Format {
  /// 4 KiB and 2 MiB.
  public var leafSizes: [(level: Level, size: PageSize)] {
    [(.pageTable, .size4KiB), (.directory, .size2MiB)]
  }
}

extension PAE: EnumerablePagingFormat {
  /// The page directories of the registers that are present, 1 GiB each.
  @inlinable
  public func rootTables(of root: PDPTERegisters) -> RootTables {
    var tables = RootTables()
    for index in 0..<4 where root[index] & 1 != 0 {
      tables.append(
        RootTable(root[index] & addressMask, at: .directory, input: UInt64(index) &<< 30))
    }
    return tables
  }
}

extension PAE: BuildablePagingFormat {
  /// Four page directories, each present.
  public func makeRoot(takeTable: () -> UInt64?) -> PDPTERegisters? {
    guard let first = takeTable(), let second = takeTable(), let third = takeTable(),
      let fourth = takeTable()
    else { return nil }
    return PDPTERegisters(first | 1, second | 1, third | 1, fourth | 1)
  }
}
