public import MMU
public import Paging

/// One cached translation of 4 KiB: what a walk found, as plain bits.
@frozen
public struct TLBEntry<Rights: Sendable & BitwiseCopyable>: Sendable, BitwiseCopyable {
  // PERF: tlb.hit; no optional and nothing counted, so an entry is read where it lies.

  /// The host address of the 4 KiB page.
  public let hpa: HPA
  @usableFromInline let guestPage: GPA
  /// What the guest's tables grant, with and without the leaf.
  public let rights, tableRights: Rights
  /// The leaf those rights come from.
  public let leaf: UInt64
  /// The address space.
  public let tag: UInt16
  /// What goes through by the second level and by D: no write before D is set. Nothing where the entry
  /// is sealed.
  public let granted: Permissions
  /// What goes through once a sealed entry has been looked at.
  @usableFromInline let kept: Permissions
  /// **Bits** 0 shared by all address spaces, 1 the guest physical address is known.
  @usableFromInline let flags: UInt8
  @usableFromInline let shift: UInt8

  /// Caches the page of 4 KiB that a walk arrived at.
  ///
  /// - Parameters:
  ///   - found: what the walk found.
  ///   - tag: the address space.
  ///   - isGlobal: whether all address spaces share it.
  ///   - isSealed: whether it answers no access by itself, so that each is made in full and can be
  ///     checked.
  @inlinable
  public init(
    _ found: HardwareTranslation<Rights>, tag: UInt16, isGlobal: Bool, isSealed: Bool = false
  ) {
    hpa = found.hpa.roundedDown(to: .size4KiB)
    guestPage = found.gpa?.roundedDown(to: .size4KiB) ?? GPA(0)
    rights = found.rights
    tableRights = found.tableRights
    leaf = found.leaf
    self.tag = tag
    kept = found.isDirty ? found.hostPermissions : found.hostPermissions.subtracting(.write)
    granted = isSealed ? [] : kept
    flags = (isGlobal ? 1 : 0) | (found.gpa == nil ? 0 : 2)
    shift = UInt8(truncatingIfNeeded: found.guestPageSize.shift)
  }

  /// Whether all address spaces share it.
  @inlinable
  public var isGlobal: Bool { flags & 1 != 0 }
  /// The guest physical address of the 4 KiB page, where the hardware's walk passed one.
  @inlinable
  public var gpa: GPA? { flags & 2 == 0 ? nil : guestPage }
  /// The size of the guest's page, of which this is a part: INVLPG drops all of it.
  @inlinable
  public var guestPageSize: PageSize { PageSize(shift: Int(shift)) }
}
