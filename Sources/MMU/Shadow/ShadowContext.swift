public import Paging

/// What one vCPU keeps for a shadow MMU: its guest's state, its roots, its caches.
public struct ShadowContext<Guest: ShadowedGuest>: Sendable {
  /// The vCPU's number.
  public let index: Int
  /// What the vCPU's faults amounted to.
  @inlinable public var counters: MMUCounters { counts }
  @usableFromInline var counts = MMUCounters()
  /// The root in use, `nil` before the first walk or where no page was left for one.
  @usableFromInline var current: ShadowRoot?
  /// The last three roots, youngest first (SPEC F14).
  @usableFromInline var previous: [ShadowRoot] = []
  @usableFromInline var guest: Guest?
  /// Whose memslots the vCPU sees.
  @usableFromInline var space = AddressSpace.normal
  /// The processor's own view of the root in use.
  @usableFromInline var hardware: Guest.Hardware?
  @usableFromInline var rules = ShadowRules(
    writeProtect: true, smep: false, smap: false, protectionKeys: false, executeDisable: false)
  /// Where the vCPU announces that it is inside.
  @usableFromInline let place: TableWalkers.Place
  /// The epoch at which it did, 0 while it is outside.
  @usableFromInline var insideEpoch: UInt64 = 0
  /// The frame for which the last exit has to wait, because the host is changing what is behind it.
  @usableFromInline var awaitedFrame: GFN?
  /// The epoch that the vCPU's TLB has seen.
  @usableFromInline var epoch: UInt64 = 0
  @usableFromInline var needsFlush = false
  /// The last MMIO page, answered first (SPEC F2).
  @usableFromInline var lastMMIO: LastMMIO?
  @usableFromInline var flood = FloodState()

  /// The most roots kept besides the one in use.
  @inlinable static var previousRoots: Int { 3 }

  @usableFromInline
  struct LastMMIO: Sendable {
    @usableFromInline var page: UInt64
    @usableFromInline var gfn: GFN
    @usableFromInline var permissions: Permissions
    @usableFromInline var generation: UInt64

    @usableFromInline
    init(page: UInt64, gfn: GFN, permissions: Permissions, generation: UInt64) {
      self.page = page
      self.gfn = gfn
      self.permissions = permissions
      self.generation = generation
    }
  }

  /// The vCPU's last writes to tables (SPEC F8, the policy of 2008).
  @frozen
  @usableFromInline
  struct FloodState: Sendable {
    @usableFromInline var gfn: GFN?
    @usableFromInline var count = 0
    /// The entry that the last write updated, looked at for its accessed bit.
    @usableFromInline var lastUpdated: HPA?

    @inlinable
    init() {}
  }

  init(index: Int, _ place: TableWalkers.Place) {
    self.index = index
    self.place = place
  }

  /// Puts a root that was in use first among the last ones, and takes out the one of a key.
  ///
  /// - Returns: `nil` where it is not among them; then they may be one too many.
  @inlinable
  mutating func take(_ key: ShadowRootKey, leaving root: ShadowRoot?) -> ShadowRoot? {
    // PERF: switch.shadow; those before the one that leaves move on by a place, in the room there is.
    var moving = root
    for index in previous.indices {
      let here = previous[index]
      if let root = moving { previous[index] = root }
      if here.key == key {
        if moving == nil { previous.remove(at: index) }
        return here
      }
      if moving != nil { moving = here }
    }
    if let moving { previous.append(moving) }
    return nil
  }

  /// The host page of the root table in use.
  public var root: PFN? { current?.page }
}
