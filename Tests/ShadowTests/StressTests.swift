import Scenario
import ShadowProperty
import Testing
import X86

/// vCPU threads on one shadow MMU; `make property` runs them longer, optimised.
@Suite("Shadow paging under threads", .serialized)
struct ShadowStressTests {
  @Test(
    "F10 F6 F7 entries of their time explain what threads see while tables change under them",
    .timeLimit(.minutes(10)), arguments: GuestCase.all.filter { $0.vcpus > 1 })
  func threads(guestCase: GuestCase) throws {
    let stress = ShadowStress(guestCase, seed: 1, rounds: 500)
    let report = try stress.run()
    print("shadow stress, \(guestCase.name): \(report.words)")
    #expect(report.breaches == [])
    #expect(report.accesses > stress.rounds / 2)
    #expect(report.faults > 0 && report.tableWrites > 0 && report.hostChanges > 0)
  }

  @Test("F7 a shadow that forgets INVLPG is found")
  func forgetful() throws {
    // It may also end as a livelock, since it does not hear where tables lead elsewhere by now.
    var breaches: [String] = []
    for seed in 1...60 as ClosedRange<UInt64> {
      var stress = ShadowStress(GuestCase(.long4, vcpus: 2), seed: seed, rounds: 800)
      stress.makeMachine = { try ForgetfulMMU.machine($0) }
      breaches = try stress.run().breaches
      if breaches.contains(where: { $0.hasPrefix("no entry of its time explains") }) { return }
    }
    Issue.record("not found: \(breaches)")
  }
}
