public import Paging

/// What one vCPU keeps for a shadow MMU: its guest's state, its roots, its caches.
public struct ShadowContext<Guest: ShadowedGuest>: Sendable {
  /// The vCPU's number.
  public let index: Int
  /// What the vCPU's faults amounted to.
  public internal(set) var counters = MMUCounters()
  /// The root in use, `nil` before the first walk or where no page was left for one.
  var current: ShadowRoot?
  /// The last three roots, youngest first (SPEC F14).
  var previous: [ShadowRoot] = []
  var guest: Guest?
  /// The processor's own view of the root in use.
  var hardware: Guest.Hardware?
  var rules = ShadowRules(
    writeProtect: true, smep: false, smap: false, protectionKeys: false, executeDisable: false)
  /// The invalidations that the vCPU's TLB has seen.
  var epoch: UInt64 = 0
  var needsFlush = false
  /// The last MMIO page, answered first (SPEC F2).
  var lastMMIO: LastMMIO?
  var flood = FloodState()

  /// The most roots kept besides the one in use.
  static var previousRoots: Int { 3 }

  struct LastMMIO: Sendable {
    var page: UInt64
    var gfn: GFN
    var permissions: Permissions
    var generation: UInt64
  }

  /// The vCPU's last writes to tables (SPEC F8, the policy of 2008).
  struct FloodState: Sendable {
    var gfn: GFN?
    var count = 0
    /// The entry that the last write updated, looked at for its accessed bit.
    var lastUpdated: HPA?
  }

  init(index: Int) { self.index = index }

  /// The host page of the root table in use.
  public var root: PFN? { current?.page }
}
