import Foundation
import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import TestSupport

/// Copies a running guest, whose vCPUs write on threads of their own, to another machine's memory.
package struct Migration: Sendable {
  package static let vcpus = 3
  /// The guest's data. **Units** pages.
  package let pages: UInt64
  /// Rounds while the guest runs.
  package let rounds: Int
  package let plan: MigrationPlan
  let bench: EPTBench
  let target: GuestMemory

  package init(_ plan: MigrationPlan, pages: UInt64 = 96, rounds: Int = 6) throws {
    self.plan = plan
    self.pages = pages
    self.rounds = rounds
    // The slot ends with the large page of the data.
    let frames = EPTBench.gpa >> 12 + 512
    bench = try EPTBench(
      backing: plan.backing, vcpus: Self.vcpus, pages: pages, ring: plan.usesRings ? 192 : nil,
      frames: frames)
    target = GuestMemory(host: try HostMemory(byteCount: 32 << 20))
    try target.update { table throws(MemslotError) in
      var slot = Memslot.ram
      slot.frameCount = frames
      return try table.adding(slot)
    }
  }

  /// What a migration came to.
  package struct Report: Sendable {
    /// Frames that differ at the end.
    package var lost: [UInt64] = []
    package var rounds = 0
    /// Writes of the guest while it was copied.
    package var writes = 0
    /// **Units** pages.
    package var copied = 0
    /// What else went wrong.
    package var mistakes: [String] = []

    /// One line on all that is wrong, or `nil`.
    package var failure: String? {
      var lines = mistakes
      if !lost.isEmpty { lines.append("frames \(lost) differ") }
      if writes == 0 { lines.append("nothing was written meanwhile") }
      return lines.isEmpty ? nil : lines.joined(separator: "; ")
    }
  }

  /// What the threads share.
  private final class Progress: Sendable {
    let isOver = Atomic(false)
    let writes = Atomic(0)
    let report = Guarded(Report())

    func note(_ mistake: String) {
      report.withLock { if $0.mistakes.count < 5 { $0.mistakes.append(mistake) } }
    }
  }

  /// Runs the guest and copies it, then compares.
  package func run(seed: UInt64) -> Report {
    let progress = Progress()
    // Some pages are mapped and written before the log begins.
    for page in 0..<pages / 2 { bench.access(.write, page: page, value: 1) }
    runThreads(Self.vcpus + 1) { index in
      if index < Self.vcpus { return live(vcpu: index, seed: seed, progress) }
      do { try copyRounds(progress) } catch { progress.note("\(error)") }
      progress.isOver.store(true, ordering: .releasing)
    }
    var report = progress.report.withLock { $0 }
    report.writes = progress.writes.load(ordering: .relaxed)
    do {
      // The guest is stopped: the last round.
      report.copied += try round()
      report.rounds += 1
    } catch { report.mistakes.append("\(error)") }
    for frame in frames {
      let gpa = GFN(frame).baseAddress
      if bench.rig.memory.view.read(gpa, count: 4096) != target.view.read(gpa, count: 4096) {
        report.lost.append(frame)
      }
    }
    report.mistakes += bench.mmu.audit().map { "audit: \($0)" }
    return report
  }

  /// The frames that anybody uses: the guest's tables and its data.
  private var frames: [UInt64] {
    Array(0x100..<0x108) + Array((EPTBench.gpa >> 12)..<(EPTBench.gpa >> 12 + pages))
  }

  private func live(vcpu: Int, seed: UInt64, _ progress: Progress) {
    var random = SeededGenerator(seed: seed << 8 | UInt64(vcpu))
    var value = UInt128(vcpu) << 56
    while !progress.isOver.load(ordering: .acquiring) {
      value += 1
      // Few pages are hot, as in real guests.
      let page = random.flip() ? random.next() % 8 : random.next() % pages
      let gva = EPTBench.base + page << 12 + random.next() % 512 * 8
      let kind: AccessKind = random.oneIn(4) ? .read : .write
      switch bench.rig.access(kind, gva, value: value, vcpu: vcpu).outcome {
      case .done: if kind == .write { progress.writes.add(1, ordering: .relaxed) }
      case .failed(.dirtyRingFull): Thread.sleep(forTimeInterval: 0)
      case let outcome: progress.note("vCPU \(vcpu), page \(page): \(outcome)")
      }
    }
  }

  private func copyRounds(_ progress: Progress) throws {
    try bench.mmu.startDirtyLog(
      slot: 0, plan.method, isInitiallySet: plan.isInitiallySet, usesRings: plan.usesRings)
    if !plan.isInitiallySet { for frame in frames { copy(frame) } }
    for _ in 0..<rounds {
      // A round without a write proves nothing.
      let before = progress.writes.load(ordering: .relaxed)
      var turns = 0
      while progress.writes.load(ordering: .relaxed) < before + 40, turns < 400 {
        Thread.sleep(forTimeInterval: 0.0002)
        turns += 1
        if plan.usesRings, turns % 8 == 7 { break }
      }
      let copied = try round()
      progress.report.withLock {
        $0.copied += copied
        $0.rounds += 1
      }
    }
  }

  /// Copies what is found dirty now.
  ///
  /// - Returns: how many pages were copied.
  private func round() throws -> Int {
    var found: Set<UInt64> = []
    if plan.usesRings {
      _ = bench.mmu.harvestDirtyRings()
      for entry in bench.mmu.resetDirtyRings() { found.insert(entry.offset) }
    }
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    for (index, word) in words.enumerated() where word != 0 {
      for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
        found.insert(UInt64(index) * 64 + bit)
      }
    }
    let used = found.intersection(frames)
    for frame in used { copy(frame) }
    return used.count
  }

  private func copy(_ frame: UInt64) {
    let bytes = bench.rig.memory.view.read(GFN(frame).baseAddress, count: 4096)
    // SAFETY: bytes have no padding.
    _ = unsafe target.view.write(bytes.span.bytes, at: GFN(frame).baseAddress)
  }
}
