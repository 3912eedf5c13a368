public import Paging
public import X86

/// Four-level long-mode paging.
public typealias Long4 = LongFormat<FourLevels>
/// Five-level long-mode paging.
public typealias Long5 = LongFormat<FiveLevels>

/// Long-mode paging: 8-byte entries, nine index bits a level, 4 KiB, 2 MiB and 1 GiB pages.
///
/// **Source** Intel SDM Vol. 3A, "4-Level Paging and 5-Level Paging"; AMD APM Vol. 2, "Long-Mode
/// Page Translation".
@frozen
public struct LongFormat<Depth: LongDepth>: X86PagingFormat, NineBitFormat {
  /// The access rules in force.
  public let controls: X86Controls
  /// The rules for addresses before any walk: canonical form, LAM, LASS.
  public let linear: LinearAddressRules
  /// M-1:12.
  public let addressMask: UInt64
  /// Reserved in every entry: 51:M, and XD while EFER.NXE=0.
  @usableFromInline let reservedAlways: UInt64
  /// Reserved in a 1 GiB leaf; includes PS itself where the processor has no such pages.
  @usableFromInline let reservedGigabyte: UInt64
  /// Reserved in PML4E and PML5E: bit 7, on AMD bit 8 too.
  @usableFromInline let reservedTop: UInt64

  /// The format under the given registers on the given processor.
  public init(_ registers: X86Registers, _ features: X86Features) {
    controls = X86Controls(registers, features)
    linear = LinearAddressRules(registers, features, width: 12 + 9 * Depth.levels)
    let physical = features.physicalAddressMask
    addressMask = physical & ~0xFFF
    let high = 0x000F_FFFF_FFFF_FFFF & ~physical & ~features.encryptionMask
    reservedAlways = high | (controls.executeDisable ? 0 : X86Rights.executeBit)
    reservedGigabyte =
      reservedAlways | 0x3FFF_E000 | (features.gigabytePages ? 0 : Self.pageSizeBit)
    reservedTop = reservedAlways | Self.pageSizeBit | (features.vendor == .amd ? 0x100 : 0)
  }

  /// Bit 7: the entry maps a large page.
  @inlinable
  static var pageSizeBit: UInt64 { 1 << 7 }

  /// Bits 20:13 of a 2 MiB leaf.
  @inlinable
  static var reservedMegabytes: UInt64 { 0x1F_E000 }

  /// The root that a CR3 value names: bits M-1:12 (SPEC W1).
  @inlinable
  public func root(cr3: UInt64) -> TableRoot { TableRoot(cr3 & addressMask) }

  /// The address as linear-address masking leaves it (SPEC W1); CR2 gets this one too.
  @inlinable
  @inline(__always)
  public func untagged(_ address: GVA, for access: X86Access) -> GVA {
    linear.untagged(address, for: access)
  }

  /// Refuses what is not canonical, or what LASS forbids.
  @inlinable
  @inline(__always)
  public func start(_ address: GVA, for access: X86Access, at root: TableRoot) -> WalkStart {
    let signShift = UInt64(truncatingIfNeeded: 52 &- 9 &* Depth.levels)
    if let cause = linear.refusal(of: address, for: access, signShift: signShift) {
      return .refused(cause, Level(Depth.levels))
    }
    return .table(root.address, Level(Depth.levels))
  }

  /// Present, then reserved bits, then PS (SPEC W4–W6).
  @inlinable
  @inline(__always)
  public func kind(of entry: UInt64, at level: Level) -> EntryKind {
    // PERF: walk.plain.random; with P inverted, one test a level tells a plain entry.
    let inverted = entry ^ 1
    if level.rawValue == 1 {
      if inverted & (reservedAlways | 1) == 0 { return .leaf }
    } else {
      let reserved = level.rawValue > 3 ? reservedTop : reservedAlways | Self.pageSizeBit
      if inverted & (reserved | 1) == 0 { return .table }
      if level.rawValue <= 3 && entry & 1 != 0 && entry & Self.pageSizeBit != 0 {
        let reserved =
          level.rawValue == 2 ? reservedAlways | Self.reservedMegabytes : reservedGigabyte
        return entry & reserved == 0 ? .leaf : .reserved
      }
    }
    return entry & 1 == 0 ? .notPresent : .reserved
  }
}

extension LongFormat: EditableX86Format {
  /// 4 KiB, 2 MiB, and 1 GiB where the processor has it.
  public var leafSizes: [(level: Level, size: PageSize)] {
    let small: [(Level, PageSize)] = [(.pageTable, .size4KiB), (.directory, .size2MiB)]
    return reservedGigabyte & Self.pageSizeBit == 0
      ? small + [(.directoryPointer, .size1GiB)] : small
  }
}

extension LongFormat: EnumerablePagingFormat {
  /// The PML4 or PML5 table.
  @inlinable
  public func rootTables(of root: TableRoot) -> RootTables {
    RootTables(RootTable(root.address, at: Level(Depth.levels)))
  }

  /// Sign-extended from bit 47 or 56.
  @inlinable
  public func extended(_ address: UInt64) -> GVA {
    let shift = UInt64(truncatingIfNeeded: 52 &- 9 &* Depth.levels)
    let shifted = Int64(bitPattern: address &<< shift)
    return GVA(UInt64(bitPattern: shifted &>> Int64(truncatingIfNeeded: shift)))
  }
}

extension LongFormat: BuildablePagingFormat {
  /// A PML4 or PML5 table.
  public func makeRoot(takeTable: () -> UInt64?) -> TableRoot? { takeTable().map { TableRoot($0) } }
}
