import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import TestSupport
import X86
import X86EPT
import X86Guest
import X86NPT

/// vCPU threads against everything that changes tables; every value is written once, so that what the
/// guests saw of each 8-byte cell can be judged: some order of all accesses has to explain it.
package struct Stress: Sendable {
  package static let vcpus = 3
  static let pages: UInt64 = 64
  static let cells: UInt64 = 8

  package let shape: StressShape
  package let seed: UInt64
  /// Of each vCPU, at least. **Units** accesses.
  package let accesses: Int
  /// **Units** changes of the tables, at least.
  package let changes: Int

  package init(_ shape: StressShape, seed: UInt64, accesses: Int = 1500, changes: Int = 200) {
    self.shape = shape
    self.seed = seed
    self.accesses = accesses
    self.changes = changes
  }

  /// What a run came to.
  package struct Report: Sendable {
    package var accesses = 0
    /// What changed the tables, and how often.
    package var changes: [String: Int] = [:]
    package var exits: [Int] = []
    package var mistakes: [String] = []
  }

  /// What the threads share.
  final class Progress: Sendable {
    let histories = CellHistories()
    let running = Atomic(Stress.vcpus)
    let changes = Atomic(0)
    let mistakes = Guarded<[String]>([])
    let made = Guarded<[String: Int]>([:])

    func note(_ mistake: String) {
      mistakes.withLock { if $0.count < 20 { $0.append(mistake) } }
    }

    /// A vCPU's life is over.
    func end() { running.subtract(1, ordering: .acquiringAndReleasing) }

    /// Makes changes as long as any vCPU lives.
    func disturb(_ change: () throws -> Void) {
      while running.load(ordering: .acquiring) > 0 {
        do {
          try change()
          changes.add(1, ordering: .relaxed)
        } catch { note("\(error)") }
      }
    }

    /// Takes what one thread changed, and how often.
    func add(_ changes: [(String, Int)]) {
      made.withLock { $0.merge(changes, uniquingKeysWith: +) }
    }
  }

  package func run() throws -> Report {
    switch shape.hardware {
    case .ept(let accessedDirty):
      return run(
        try EPTBench(
          accessedDirty: accessedDirty, backing: shape.backing, vcpus: Self.vcpus,
          pages: Self.pages, ring: 192))
    case .npt:
      let encoder = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 44))
      let rig = try TDPRig(encoder, backing: shape.backing, vcpus: Self.vcpus, ring: 192)
      return run(TDPBench(rig, pages: Self.pages))
    case .tdx: return try DomainStress(self).run()
    }
  }

  private func run<Encoder>(_ bench: TDPBench<Encoder>) -> Report {
    let progress = Progress()
    runThreads(Self.vcpus + 1) { index in
      if index < Self.vcpus {
        live(bench, vcpu: index, progress)
        return progress.end()
      }
      var disturber = Disturber(
        bench.mmu, bench.rig.memory, data: bench.frames(0..<1).lowerBound, slot: 0,
        logsModifications: true, seed: seed << 8 | 0xFF)
      progress.disturb { try disturber.change(progress) }
      progress.add(disturber.changes.map { ($0.rawValue, $1) })
    }
    return report(on: progress, bench.rig.machine, audit: bench.mmu.audit())
  }

  /// What a run came to whose threads have ended.
  func report<MMU>(
    on progress: Progress, _ machine: Machine<X86Processor, MMU, NoObserver>, audit: [String]
  ) -> Report {
    var report = Report()
    report.changes = progress.made.withLock { $0 }
    report.exits = machine.vcpus.map { $0.exits.total }
    report.mistakes = progress.mistakes.withLock { $0 }
    report.mistakes += audit.map { "audit: \($0)" }
    let (operations, breaches) = progress.histories.judge()
    report.accesses = operations
    report.mistakes += breaches
    if operations < Self.vcpus * accesses { report.mistakes.append("\(operations) accesses") }
    return report
  }

  /// One vCPU's life: at least so many accesses, and until enough has changed under them.
  private func live<Encoder>(_ bench: TDPBench<Encoder>, vcpu: Int, _ progress: Progress) {
    let histories = progress.histories
    var random = SeededGenerator(seed: seed << 8 | UInt64(vcpu))
    var operations: [CellHistories.Entry] = []
    var value = UInt64(vcpu + 1) << 40
    for number in 0..<(accesses * 40) {
      if isEnough(number, progress) { break }
      // Few cells are hot, so that vCPUs meet in them.
      let page = random.flip() ? random.next() % 4 : random.next() % Self.pages
      let cell = random.next() % Self.cells
      let gva = TDPBench<Encoder>.base + page << 12 + cell * 8
      let kind: AccessKind = random.flip() ? .write : .read
      if kind == .write { value += 1 }
      let start = histories.now
      let report = patiently {
        bench.rig.access(kind, gva, value: UInt128(value), vcpu: vcpu)
      }
      guard let found = report.value else {
        progress.note("vCPU \(vcpu) page \(page) cell \(cell): \(report.outcome)")
        continue
      }
      operations.append(
        (
          CellHistories.cell(cell, ofPage: page),
          RegisterHistory.Operation(
            isWrite: kind == .write, value: UInt64(truncatingIfNeeded: found), start: start,
            end: histories.now)
        ))
    }
    histories.add(operations)
  }

  /// Whether a vCPU that made so many accesses has lived long enough.
  func isEnough(_ made: Int, _ progress: Progress) -> Bool {
    made >= accesses && progress.changes.load(ordering: .relaxed) >= changes
  }

  /// One access, tried again while the host holds the page or the vCPU's ring is full.
  func patiently(_ access: () -> AccessReport<X86Fault>) -> AccessReport<X86Fault> {
    let end = ContinuousClock.now + .seconds(60)
    while true {
      let report = access()
      switch report.failure {
      case .dirtyRingFull where ContinuousClock.now < end,
        .livelock where ContinuousClock.now < end:
        Thread.sleep(forTimeInterval: 0.0001)
      default: return report
      }
    }
  }
}
