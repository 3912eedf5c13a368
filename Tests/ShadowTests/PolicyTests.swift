import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import Testing

@Suite("What a shadow MMU asks of policies")
struct ShadowPolicyTests {
  /// Answers with numbers given, and keeps what it was asked.
  final class Numbers: MMUPolicy {
    struct Asked {
      var windows: [GPA] = []
      var floods: [GFN] = []
      var candidates: [[ZapCandidate]] = []
    }
    let asked = Mutex(Asked())
    let window, flood: Int?
    let zap: @Sendable ([ZapCandidate]) -> Int?

    init(
      window: Int? = nil, flood: Int? = nil,
      zap: @escaping @Sendable ([ZapCandidate]) -> Int? = { _ in nil }
    ) {
      self.window = window
      self.flood = flood
      self.zap = zap
    }

    func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int {
      asked.withLock { $0.windows.append(fault.gpa) }
      return window ?? standard
    }

    func floodThreshold(gfn: GFN, standard: Int) -> Int {
      asked.withLock { $0.floods.append(gfn) }
      return flood ?? standard
    }

    func zapChoice(among candidates: [ZapCandidate]) -> Int? {
      asked.withLock { $0.candidates.append(candidates) }
      return zap(candidates)
    }
  }

  @Test(
    "F9 H3 the window is asked once a fault, and an answer outside 1 to 512 becomes the nearest",
    arguments: [(nil, 7), (4, 3), (1, 0), (0, 0), (-9, 0), (16, 15), (100_000, 15)])
  func prefetch(window: Int?, neighbours: Int) throws {
    let policy = Numbers(window: window)
    let rig = try ShadowRig(policy: PolicyStack([policy]))
    for page: UInt64 in 0..<16 { rig.map(page << 12, to: 0x20_0000 + page << 12, flags: 0x67) }
    _ = rig.access(.read, 0)
    #expect(rig.machine.counters.prefetched == neighbours)
    #expect(policy.asked.withLock { $0.windows } == [GPA(0x20_0000)])
    #expect(rig.mmu.audit() == [])
  }

  @Test("F8 H3 the threshold of a flood is the policy's, never below 1", arguments: [0, 1, 2, 5])
  func flood(threshold: Int) throws {
    let policy = Numbers(flood: threshold)
    let rig = try ShadowRig(
      options: ShadowOptions(prefetchWindow: 1), policy: PolicyStack([policy]))
    rig.mapWindow(at: 0x4000_0000, pages: 64)
    rig.map(0x4000, to: 0x20_0000)
    let place = rig.place(0x4000, level: 2)
    _ = rig.access(.read, 0x4000)
    for write in 1...max(threshold, 1) {
      #expect(rig.machine.counters.flooded == 0)
      _ = rig.access(
        .write, 0x4000_0000 + place - 0x10_0000 + 8 * UInt64(write), value: UInt128(0))
    }
    #expect(rig.machine.counters.flooded == 1)
    #expect(policy.asked.withLock { $0.floods }.allSatisfy { $0 == GPA(place).frame })
    #expect(rig.mmu.audit() == [])
  }

  @Test("F4 H3 a short pool asks which page goes: oldest first, ages in faults, no root among them")
  func zap() throws {
    let youngest = Numbers { $0.count - 1 }
    let oldest = Numbers()
    let wrong = Numbers { $0.count + 7 }
    for policy in [youngest, oldest, wrong] {
      let rig = try ShadowRig(
        tablePages: 12, options: ShadowOptions(prefetchWindow: 1), policy: PolicyStack([policy]))
      for region: UInt64 in 0..<16 { rig.map(region << 21, to: 0x20_0000 + region << 12) }
      var zapped: [GFN] = []
      for region: UInt64 in 0..<16 {
        #expect(rig.access(.read, region << 21).value != nil)
        for case .pageZapped(_, let gfn, .recycled) in rig.log.drain() { zapped.append(gfn) }
        #expect(rig.mmu.audit() == [])
      }
      #expect(!zapped.isEmpty && zapped.count == rig.machine.counters.recycled)
      let asked = policy.asked.withLock { $0.candidates }
      #expect(asked.count == zapped.count)
      for (candidates, gfn) in zip(asked, zapped) {
        let expected = policy === youngest ? candidates.last : candidates.first
        #expect(expected?.gfn == gfn)
        #expect(!candidates.contains { $0.level == Level(4) }, "the root is in use")
        let leaves = candidates.filter { $0.level == .pageTable }.map(\.age)
        #expect(leaves == leaves.sorted(by: >), "a leaf table is used by its own fault alone")
      }
    }
  }
}
