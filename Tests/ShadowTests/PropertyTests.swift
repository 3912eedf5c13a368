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

  @Test("W16 F6 F7 random guests are told of each stale translation, and the MMU forgets none")
  func staleTranslations() throws {
    for (index, guestCase) in GuestCase.all.enumerated() {
      var guestCase = guestCase
      guestCase.findsStaleTranslations = true
      let run = PropertyRun(guestCase, seed: 100 + UInt64(index), operations: 500)
      let report = try run.run()
      if let failure = report.failure { Issue.record("\(run.recordFailure(failure))") }
    }
  }

  @Test(
    "W16 F7 a shadow that forgets INVLPG is told as the MMU's error, with the write that it missed")
  func forgottenInvalidation() throws {
    let rig = try GuestCase(.long4, vcpus: 1).rig()
    let page: UInt64 = 0x7000
    rig.map(page, to: 0x20_0000)
    rig.mapWindow(at: 0x4000_0000)
    let machine = try Machine(
      guests: [rig.machine.vcpus[0].guest], mmu: ForgetfulMMU(base: rig.mmu),
      ledger: TranslationLedger(memory: rig.memory))
    let ledger = try #require(machine.ledger)
    func read() -> GPA? { machine.vcpu(0, access: .read, at: GVA(page), size: 8).gpa }
    #expect(read() == GPA(0x20_0000))
    let place = rig.place(page)
    // Twice: the first write lets the table go out of step.
    for target in [0x20_1000, 0x20_2000] as [UInt64] {
      let window = GVA(0x4000_0000 + place - 0x10_0000)
      _ = machine.vcpu(0, access: .write, at: window, size: 8, value: UInt128(target | 0x67))
      machine.vcpu(0, invalidatePage: GVA(page))
      _ = read()
    }
    let (findings, _) = ledger.take()
    let finding = try #require(findings.last)
    #expect(finding.verdict == .mmu)
    #expect(!finding.isTLBHit)
    #expect(finding.new?.gpa == GPA(0x20_2000))
    guard case .write(let write) = finding.cause else {
      Issue.record("\(finding)")
      return
    }
    #expect(write.gpa == GPA(place) && write.after == 0x20_2067 && write.vcpu == 0)
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
