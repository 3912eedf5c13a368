import Foundation
import ShadowProperty

// Random guests under shadow paging as optimised code: what `make property` runs.
let campaign = PropertyCampaign(
  seed: UInt64.random(in: 1...999_999_999), operations: 1_000_000, operationsPerRun: 10_000)
print(
  "MMU_PROPERTY_SEED=\(campaign.seed) MMU_PROPERTY_OPERATIONS=\(campaign.operations)"
    + " repeats this run")
let start = ContinuousClock.now
let runs = campaign.perform { print($0) }
var failures = campaign.runs.count - runs.count
for (run, report) in runs {
  guard let failure = report.failure else { continue }
  failures += 1
  print(run.recordFailure(failure))
}
// Then the same tables under threads of their own, whose order is chance.
let stressRuns = ProcessInfo.processInfo.environment["MMU_STRESS_RUNS"].flatMap { Int($0) } ?? 64
for index in 0..<stressRuns {
  let threaded = GuestCase.all.filter { $0.vcpus > 1 }
  let stress = ShadowStress(
    threaded[index % threaded.count], seed: campaign.seed &+ UInt64(index), rounds: 20_000)
  do {
    let report = try stress.run()
    print("threads, seed \(stress.seed), \(stress.guestCase.name): \(report.words)")
    if !report.breaches.isEmpty { failures += 1 }
    for breach in report.breaches { print("seed \(stress.seed): \(breach)") }
  } catch {
    failures += 1
    print("threads, seed \(stress.seed): no machine: \(error)")
  }
}
let operations = runs.reduce(0) { $0 + $1.report.operations }
print("\(operations) operations, \(failures) failures, \(ContinuousClock.now - start)")
exit(failures == 0 ? 0 : 1)
