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
let operations = runs.reduce(0) { $0 + $1.report.operations }
print("\(operations) operations, \(failures) failures, \(ContinuousClock.now - start)")
exit(failures == 0 ? 0 : 1)
