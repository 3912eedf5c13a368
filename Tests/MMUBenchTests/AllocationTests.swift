import CAllocationCount
import FoundationEssentials
import MMU
import Machine
import Paging
import PluginHost
import Testing
import X86

@testable import MMUBench

@Suite("Allocations on the hot paths", .serialized)
struct AllocationTests {
  /// How often the body asks for heap memory, on this thread.
  private func allocations(_ body: () -> WalkLoop.Tally) -> UInt {
    let before = cac_count()
    let tally = body()
    let after = cac_count()
    #expect(tally.failures == 0)
    return after - before
  }

  /// Whether the code is optimised: without that, closures and copies are on the heap.
  private static var isOptimised: Bool {
    #if DEBUG
    false
    #else
    true
    #endif
  }

  @Test("the counter sees what is allocated")
  func counter() {
    var kept: [[Int]] = []
    kept.reserveCapacity(100)
    let count = allocations {
      for size in 1...100 { kept.append(Array(repeating: size, count: size)) }
      return WalkLoop.Tally()
    }
    #expect(count >= 100)
    #expect(kept.count == 100)
  }

  @Test("a TLB hit, a miss and a warm fault of a machine allocate nothing")
  func accesses() throws {
    let rig = try AccessRig()
    _ = rig.read(AccessRig.linear, count: 1024, span: 1024)
    let hits = rig.machine.vcpus[0].tlbHits
    #expect(allocations { rig.read(AccessRig.linear, count: 1000, span: 1024) } == 0)
    #expect(rig.machine.vcpus[0].tlbHits == hits + 1000)
    #expect(allocations { rig.read(AccessRig.linear, count: 5000, span: 1 << 14) } == 0)
    #expect(rig.machine.vcpus[0].tlbHits < hits + 3000)
    rig.dropLeaves()
    let fixed = rig.machine.counters.fixed
    #expect(allocations { rig.read(AccessRig.linear, count: 2000, span: 1 << 14) } == 0)
    #expect(rig.machine.counters.fixed == fixed + 2000)
  }

  @Test("a warm shadow fault, and one that takes a page from a warm pool, allocate nothing")
  func shadowFaults() throws {
    let rig = try ShadowAccessRig()
    let count = ShadowAccessRig.pageCount
    // Code that is not optimised makes the metadata of its generic types when it first runs.
    rig.dropLeaves()
    _ = rig.read(count: count)
    for _ in 0..<2 {
      rig.dropLeaves()
      let fixed = rig.machine.counters.fixed
      #expect(allocations { rig.read(count: count) } == 0)
      #expect(rig.machine.counters.fixed == fixed + count)
    }
    // Two address spaces in a pool that holds one and a half: tables are made and recycled.
    let small = try ShadowAccessRig(tablePages: 60)
    for round in 1...16 {
      small.switchTo(round & 1)
      let recycled = small.machine.counters.recycled
      let seen = allocations { small.read(count: 500) }
      #expect(small.machine.counters.recycled > recycled)
      if round > 14 { #expect(seen == 0) }
    }
  }

  @Test(
    "MMIO, found and cached, allocates nothing",
    .enabled(if: isOptimised, "counts optimised code; make test-release"))
  func mmio() throws {
    let rig = try AccessRig()
    let span = AccessRig.devicePageCount
    _ = rig.read(AccessRig.device, count: span, span: span)
    let cached = rig.machine.counters.mmioCached
    #expect(allocations { rig.read(AccessRig.device, count: 500, span: span) } == 0)
    #expect(rig.machine.counters.mmioCached == cached + 500)
    rig.dropDeviceLeaves()
    let searched = rig.machine.counters.mmioSearched
    #expect(allocations { rig.read(AccessRig.device, count: 500, span: span) } == 0)
    #expect(rig.machine.counters.mmioSearched == searched + 500)
  }

  @Test(
    "a plugin's hook allocates nothing per call",
    .enabled(if: isOptimised, "counts optimised code; make test-release"))
  func plugin() throws {
    let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
    let path = root.joined(separator: "/") + "/build/plugins/idle_policy.so"
    guard FileManager.default.fileExists(atPath: path) else {
      print("skipped: build/plugins/idle_policy.so is not built (make plugins)")
      return
    }
    let plugin = try Plugin(path: path)
    let policy = PluginPolicy(plugin)
    _ = PairBenchmark.call(plugin, policy, count: 100)
    #expect(allocations { PairBenchmark.call(plugin, policy, count: 1000) } == 0)
  }
}
