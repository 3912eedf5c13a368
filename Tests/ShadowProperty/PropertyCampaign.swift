import Dispatch
import Foundation
import MMU
import Synchronization

/// Many random guests, several at a time: every case in turn, each with a seed of its own.
package struct PropertyCampaign: Sendable {
  /// The first run's seed; the others count up from it.
  package let seed: UInt64
  /// Of all runs together, at least.
  package let operations: Int
  /// Of one run.
  package let operationsPerRun: Int

  /// - Parameters:
  ///   - seed: the first seed; `MMU_PROPERTY_SEED` wins.
  ///   - operations: of all runs together; `MMU_PROPERTY_OPERATIONS` wins.
  package init(seed: UInt64, operations: Int, operationsPerRun: Int) {
    let environment = ProcessInfo.processInfo.environment
    self.seed = environment["MMU_PROPERTY_SEED"].flatMap { UInt64($0) } ?? seed
    self.operations = environment["MMU_PROPERTY_OPERATIONS"].flatMap { Int($0) } ?? operations
    self.operationsPerRun = max(1, operationsPerRun)
  }

  /// The runs; with a seed and a number of operations they are always the same.
  package var runs: [PropertyRun] {
    let count = max(1, (operations + operationsPerRun - 1) / operationsPerRun)
    return (0..<count).map { index in
      PropertyRun(
        GuestCase.all[index % GuestCase.all.count], seed: seed &+ UInt64(index),
        operations: min(operationsPerRun, operations))
    }
  }

  /// Runs them all, one line for each.
  ///
  /// - Parameter line: told what to print, run by run.
  /// - Returns: what each run came to.
  package func perform(
    _ line: @escaping @Sendable (String) -> Void
  ) -> [(run: PropertyRun, report: PropertyRun.Report)] {
    let runs = runs
    let reports = Mutex<[Int: PropertyRun.Report]>([:])
    DispatchQueue.concurrentPerform(iterations: runs.count) { index in
      let run = runs[index]
      do {
        let report = try run.run()
        line("seed \(run.seed), \(run.guestCase.name): \(report.words)")
        reports.withLock { $0[index] = report }
      } catch {
        line("seed \(run.seed), \(run.guestCase.name): no machine: \(error)")
      }
    }
    let done = reports.withLock { $0 }
    return runs.indices.compactMap { index in done[index].map { (runs[index], $0) } }
  }
}

extension PropertyRun.Report {
  /// One line.
  package var words: String {
    "\(operations) operations, \(granted) granted, \(refused) refused, \(staleUses) stale,"
      + " \(counters.fixed) fixed, \(counters.unsynced) unsynced, \(counters.synced) synced,"
      + " \(counters.flooded) flooded, \(counters.recycled) recycled,"
      + " \(counters.prefetched) prefetched, \(counters.mmioCached) MMIO cached"
  }
}

extension PropertyRun {
  /// Shrinks a failure and writes the scenario that replays it.
  ///
  /// - Returns: what to print: the file's path and its text.
  package func recordFailure(_ failure: Failure) -> String {
    let text = scenario(shrink(failure))
    let folder =
      ProcessInfo.processInfo.environment["MMU_PROPERTY_FAILURES"]
      ?? FileManager.default.temporaryDirectory.path
    let path = "\(folder)/shadow-\(guestCase.mode)-seed-\(seed).yaml"
    let isWritten = (try? text.write(toFile: path, atomically: true, encoding: .utf8)) != nil
    return "seed \(seed), \(guestCase.name), operation \(failure.operations.count):"
      + " \(failure.difference)\n"
      + (isWritten ? "replay with: mmu run \(path)\n" : "\(path) cannot be written\n") + text
  }
}
