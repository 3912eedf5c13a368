import MMU
import Paging

/// The second level of a forecast: which leaves there are and what they allow, and no tables.
struct ForecastModel {
  /// What matters of a small leaf.
  private struct Leaf {
    var isWritable: Bool
    var isDirty: Bool
  }

  private let policy: ForecastPolicy
  private let assumptions: ForecastAssumptions
  private(set) var counts = ForecastCounts()
  /// Large leaves, by their first frame.
  private var large: Set<UInt64> = []
  private var small: [UInt64: Leaf] = [:]
  /// Large leaves that were split since the log began; their pages are protected until written.
  private var split: Set<UInt64> = []
  private var marked: Set<UInt64> = []
  private var rings: [Int: [UInt64]] = [:]
  /// Entries used of each vCPU's page-modification log.
  private var logged: [Int: Int] = [:]
  /// Pages that hardware noted and nobody has collected.
  private var noted: Set<UInt64> = []
  /// Pages sent in this round because a ring was full.
  private var sentEarly = 0

  init(_ policy: ForecastPolicy, _ assumptions: ForecastAssumptions) {
    self.policy = policy
    self.assumptions = assumptions
  }

  /// Maps what an access touches, before the log begins.
  mutating func warm(_ footprint: Footprint) {
    for touch in footprint.touches where leaf(touch.frame) == nil {
      let first = region(of: touch.frame)
      if large.contains(first) { continue }
      if isLarge(first) {
        large.insert(first)
      } else {
        small[touch.frame] = Leaf(isWritable: true, isDirty: true)
      }
    }
  }

  /// The log begins: every leaf is protected.
  mutating func start() {
    let isProtecting = policy.method == .writeProtect
    for frame in small.keys {
      small[frame] = Leaf(isWritable: !isProtecting, isDirty: isProtecting)
    }
    // One before the slot is seen by nobody without its log, one after the leaves are protected.
    counts.flushes += 2
    guard policy.splitsEagerly else { return }
    counts.splits += large.count
    split.formUnion(large)
    large = []
  }

  mutating func access(_ footprint: Footprint) {
    if policy.usesRings, (rings[footprint.vcpu]?.count ?? 0) >= softLimit {
      counts.ringFullExits += 1
      sentEarly += emptyRings()
    }
    for touch in footprint.touches where touch.isWrite { write(touch.frame, footprint.vcpu) }
  }

  /// Looks at the log, sends what is dirty and protects it again.
  mutating func endRound() {
    var found = marked
    if policy.usesRings {
      for ring in rings.values { found.formUnion(ring) }
      _ = emptyRings()
    }
    found.formUnion(noted)
    counts.flushes += 1
    for frame in found { protect(frame) }
    marked = []
    noted = []
    logged = [:]
    counts.sent.append(found.count + sentEarly)
    sentEarly = 0
  }

  private var softLimit: Int { assumptions.ringSize - DirtyRing.reserved }

  private mutating func write(_ frame: UInt64, _ vcpu: Int) {
    let held = leaf(frame)
    guard let held, held.isWritable else {
      counts.faults += 1
      // Every exit empties the vCPU's log.
      logged[vcpu] = 0
      let first = region(of: frame)
      if large.remove(first) != nil {
        counts.splits += 1
        split.insert(first)
      }
      small[frame] = Leaf(isWritable: true, isDirty: true)
      return mark(frame, vcpu)
    }
    guard policy.method != .writeProtect, !held.isDirty else { return }
    if policy.method == .pageModificationLog {
      if logged[vcpu, default: 0] == 512 {
        counts.modificationLogExits += 1
        logged[vcpu] = 0
      }
      logged[vcpu, default: 0] += 1
    }
    small[frame]?.isDirty = true
    noted.insert(frame)
  }

  private mutating func mark(_ frame: UInt64, _ vcpu: Int) {
    if policy.usesRings, rings[vcpu, default: []].count < assumptions.ringSize {
      rings[vcpu, default: []].append(frame)
    } else {
      marked.insert(frame)
    }
  }

  private mutating func emptyRings() -> Int {
    let frames = Set(rings.values.joined())
    for frame in frames { protect(frame) }
    rings = [:]
    counts.flushes += 1
    return frames.count
  }

  private mutating func protect(_ frame: UInt64) {
    if policy.method == .writeProtect {
      small[frame]?.isWritable = false
    } else {
      small[frame]?.isDirty = false
    }
  }

  /// The small leaf of a frame, `nil` where there is none.
  private func leaf(_ frame: UInt64) -> Leaf? {
    small[frame]
      ?? (split.contains(region(of: frame)) ? Leaf(isWritable: false, isDirty: false) : nil)
  }

  private func region(of frame: UInt64) -> UInt64 { frame & ~(assumptions.backing.frames - 1) }

  private func isLarge(_ first: UInt64) -> Bool {
    assumptions.backing > .size4KiB
      && first + assumptions.backing.frames <= assumptions.frameCount
  }
}
