import Foundation
package import MMU
import Machine
import Paging
package import Scenario
import Synchronization
import TestSupport
import X86
import X86Guest

/// vCPUs on threads of their own that write the tables they run on, while the host changes what is
/// behind them.
///
/// Every access is judged afterwards: where it went, or which fault it raised, must follow from entries
/// that the tables had at some time since the vCPU's last invalidation of the page began; and what was
/// read and written of each 8 bytes must be explained by some order of all accesses.
package struct ShadowStress: Sendable {
  package let guestCase: GuestCase
  package let seed: UInt64
  /// What each vCPU does at least. **Units** operations.
  package let rounds: Int
  /// What makes the machine, so that tests can give in a broken one.
  package var makeMachine: @Sendable (GuestCase) throws -> any ScenarioMachine = {
    try $0.makeMachine()
  }

  package init(_ guestCase: GuestCase, seed: UInt64, rounds: Int) {
    self.guestCase = guestCase
    self.seed = seed
    self.rounds = rounds
  }

  /// What a run came to.
  package struct Report: Sendable {
    package var accesses = 0
    package var faults = 0
    package var tableWrites = 0
    package var hostChanges = 0
    package var counters = MMUCounters()
    /// What was wrong, the first few.
    package var breaches: [String] = []
  }

  /// What the threads did, for the judgement.
  private struct Log: Sendable {
    var accesses: [StressAccess] = []
    var writes: [(cell: StressGuest.Cell, write: CellWrites.Write)] = []
    var problems: [String] = []
  }

  /// Runs the threads, and judges.
  package func run() throws -> Report {
    let machine = try makeMachine(guestCase)
    let guest = try StressGuest(guestCase.mode, on: machine)
    let histories = CellHistories()
    let logs = Mutex<[Log]>([])
    let running = Atomic(machine.vcpuCount)
    let changes = Atomic(0)
    runThreads(machine.vcpuCount + 1) { [self] index in
      var log = Log()
      if index < machine.vcpuCount {
        var vcpu = StressVCPU(index, seed: seed, guest, machine, histories)
        for _ in 0..<rounds { vcpu.next() }
        histories.add(vcpu.data)
        log = Log(accesses: vcpu.accesses, writes: vcpu.writes, problems: vcpu.problems)
        running.subtract(1, ordering: .acquiringAndReleasing)
      } else {
        var host = StressHost(seed: seed, guest, machine, histories)
        while running.load(ordering: .acquiring) > 0 {
          host.next()
          changes.add(1, ordering: .relaxed)
          Thread.sleep(forTimeInterval: 0.000_2)
        }
        host.finish()
        log = Log(writes: host.writes, problems: host.problems)
      }
      logs.withLock { $0.append(log) }
    }
    let all = logs.withLock { $0 }
    var report = Report()
    report.hostChanges = changes.load(ordering: .relaxed)
    report.tableWrites = all.reduce(0) { $0 + $1.writes.count }
    report.accesses = all.reduce(0) { $0 + $1.accesses.count }
    report.faults = all.reduce(0) { sum, log in
      sum + log.accesses.count { if case .fault = $0.outcome { true } else { false } }
    }
    report.counters = machine.counters
    report.breaches = all.flatMap(\.problems) + judge(all, guest)
    report.breaches += histories.judge { "GPA \(GPA($0))" }.breaches
    report.breaches += machine.audit() ?? []
    report.breaches = Array(report.breaches.prefix(10))
    return report
  }

  /// The accesses that no entries of their time explain.
  private func judge(_ logs: [Log], _ guest: StressGuest) -> [String] {
    var cells = guest.initial.mapValues { CellWrites(initial: $0) }
    for log in logs {
      for (cell, write) in log.writes { cells[cell]?.add(write) }
    }
    func values(_ cell: StressGuest.Cell, _ access: StressAccess) -> Set<UInt64> {
      cells[cell]?.values(from: access.since, to: access.end) ?? []
    }
    var breaches: [String] = []
    for access in logs.flatMap(\.accesses) {
      let directories =
        access.range == 1
        ? [guest.directories[1]] : values(guest.directory(under: access.root), access)
      let isExplained = directories.contains { directory in
        guard let table = guest.table(of: directory) else {
          return guest.outcome(
            directory, page: access.page, isLarge: true, access.kind, isUser: access.isUser)
            == access.outcome
        }
        return values(.leaf(table: table, page: access.page), access).contains {
          guest.outcome(
            $0, page: access.page, isLarge: false, access.kind, isUser: access.isUser)
            == access.outcome
        }
      }
      if !isExplained { breaches.append("no entry of its time explains \(access)") }
    }
    return breaches
  }
}

extension ShadowStress.Report {
  /// One line.
  package var words: String {
    "\(accesses) accesses, \(faults) faults, \(tableWrites) table writes, \(hostChanges) host changes,"
      + " \(counters.unsynced) unsynced, \(counters.synced) synced, \(counters.recycled) recycled,"
      + " \(counters.remoteFlushes) flushes"
  }
}
