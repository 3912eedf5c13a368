import Foundation
import ParallelProperty

// vCPU threads against everything that changes their tables, as optimised code: for `make property`,
// and under ThreadSanitizer for `make tsan`.
let numbers = CommandLine.arguments.dropFirst().map { UInt64($0) }
guard numbers.count == 3, let migrations = numbers[0], let stresses = numbers[1],
  let seed = numbers[2], migrations <= 1_000_000, stresses <= 1_000_000
else {
  print("usage: ParallelRunner MIGRATIONS STRESSES SEED")
  exit(64)
}
let campaign = ParallelCampaign(
  seed: seed, migrations: Int(migrations), stresses: Int(stresses))
let start = ContinuousClock.now
let failures = campaign.perform { print($0) }
print(
  "\(migrations) migrations, \(stresses) runs under stress, seed \(seed): \(failures) failures,"
    + " \(ContinuousClock.now - start)")
exit(failures == 0 ? 0 : 1)
