import Foundation
import MMU
import Machine
import Paging
import Scenario
import ShadowProperty
import Synchronization
import SystemPackage
import Testing
import X86
import X86Guest

@Suite("Shadow paging under random guests")
struct ShadowPropertyTests {
  @Test("F1–F14 F18 random guests see what their tables say under the manual's TLB rules")
  func randomGuests() {
    // `make property` runs a million, optimised.
    let campaign = PropertyCampaign(seed: 1, operations: 24_000, operationsPerRun: 1_000)
    let runs = campaign.perform { print($0) }
    #expect(runs.count == campaign.runs.count)
    for (run, report) in runs {
      if let failure = report.failure { Issue.record("\(run.recordFailure(failure))") }
      #expect(report.granted > report.operations / 10, "seed \(run.seed): the guest did little")
      #expect(report.refused > report.operations / 20, "seed \(run.seed)")
    }
    let counters = runs.map(\.report.counters)
    for (name, count) in [
      ("unsynced", counters.reduce(0) { $0 + $1.unsynced }),
      ("flooded", counters.reduce(0) { $0 + $1.flooded }),
      ("recycled", counters.reduce(0) { $0 + $1.recycled }),
      ("prefetched", counters.reduce(0) { $0 + $1.prefetched }),
      ("MMIO cached", counters.reduce(0) { $0 + $1.mmioCached }),
      ("stale", runs.reduce(0) { $0 + $1.report.staleUses }),
    ] { #expect(count > 0, "\(name)") }
  }

  @Test(
    "F6 F7 a shadow that forgets INVLPG is found, and its failure shrinks to a scenario that shows it"
  )
  func shrinks() throws {
    let run = try Self.failingRun()
    let failure = try #require(try run.run().failure)
    let short = run.shrink(failure)
    #expect(short.operations.count <= 30, "\(short.operations.count) operations")
    for index in short.operations.indices.dropLast() {
      var fewer = short.operations
      fewer.remove(at: index)
      #expect(run.replay(fewer) == nil, "operation \(index) is not needed")
    }
    let text = run.scenario(short)
    print(text)
    let scenario = try Scenario(yaml: Array(text.utf8))
    let right = try ScenarioRunner(scenario, folder: ".")
    #expect(right.run { _ in }.failed == 0, "the file passes without the bug: \(text)")
    let broken = ScenarioRunner(
      scenario, on: try ForgetfulMMU.machine(run.guestCase), spare: HPA(40 << 20))
    #expect(broken.run { _ in }.failed == 1, "the file fails with the bug: \(text)")
  }

  /// The first seed under which the broken machine fails.
  private static func failingRun() throws -> PropertyRun {
    for seed in 1...20 as ClosedRange<UInt64> {
      var run = PropertyRun(GuestCase(.long4, vcpus: 1), seed: seed, operations: 1_500)
      run.makeMachine = { try ForgetfulMMU.machine($0) }
      if let failure = try run.run().failure, failure.difference.kind == .outcome { return run }
    }
    throw CancellationError()
  }

  @Test("a list shrinks to the elements that its failure needs, in any order of pieces")
  func deltaDebugging() {
    let calls = Mutex(0)
    let kept = shrunk(Array(0..<1000)) { list in
      calls.withLock { $0 += 1 }
      return list.contains(17) && list.contains(600) && list.contains(601)
    }
    #expect(kept == [17, 600, 601])
    #expect(calls.withLock { $0 } < 200)
    #expect(shrunk([1, 2, 3]) { _ in true } == [])
    #expect(shrunk([1, 2, 3], budget: 0) { _ in true } == [1, 2, 3])
  }
}
