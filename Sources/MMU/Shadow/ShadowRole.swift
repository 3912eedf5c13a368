public import Paging

/// What a shadow page was made for, besides its frame: pages of equal role and frame are one page
/// (SPEC F4).
@usableFromInline
struct ShadowRole: Hashable, Sendable {
  /// The level of its entries in the shadow.
  @usableFromInline var level: Level
  /// The number of the guest's entry format: entry size, mode, execute-disable, large pages.
  @usableFromInline var format: Int
  /// Whether it maps a run of frames and shadows no table.
  @usableFromInline var isDirect = false
  /// Whether it stands above the guest's highest table in memory, for registers or nothing at all.
  @usableFromInline var isTop = false
  /// What the guest's entries above it grant; for a direct page, what the large page's entry grants.
  @usableFromInline var access: Permissions = .all
  /// Which part of a guest's table of 4-byte entries it shadows (SPEC F5).
  @usableFromInline var quadrant: UInt64 = 0
  /// CR0.WP.
  @usableFromInline var writeProtect = true
  /// SMEP without CR0.WP.
  @usableFromInline var smepWithoutWP = false
  /// SMAP without CR0.WP.
  @usableFromInline var smapWithoutWP = false
  /// Whether the guest runs inside the guest: its pages are not shared with the hypervisor's there,
  /// since what the processor logs of them is another's addresses.
  @usableFromInline var isNested = false
  /// Whose memslots it maps: system-management mode has pages of its own, which nobody else may see.
  @usableFromInline var space = AddressSpace.normal
  /// Whether the processor marks the entries that it uses.
  @usableFromInline var marksEntries = true

  @inlinable
  init(level: Level, format: Int) {
    self.level = level
    self.format = format
  }

  /// The same guest state on another level.
  @inlinable  // PERF: fault.shadow
  func at(_ level: Level) -> ShadowRole {
    var role = self
    role.level = level
    role.quadrant = 0
    return role
  }
}
