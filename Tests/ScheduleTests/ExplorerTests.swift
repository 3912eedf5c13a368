import Paging
import Schedules
import Synchronization
import Testing

/// The explorer on races that are counted by hand.
@Suite("Schedule explorer")
struct ExplorerTests {
  final class Cell: Sendable {
    let value = Atomic(0)
  }

  static let place = SharedPlace.entry(HPA(0))

  /// Threads that each read a cell and store one more, in two steps.
  static func increments(_ count: Int, isAtomic: Bool) -> Race {
    Race("increments", "lost updates", threads: count) { turns in
      let cell = Cell()
      let body: @Sendable () -> Void = {
        turns.step(place, isChange: isAtomic)
        let seen = cell.value.load(ordering: .relaxed)
        if !isAtomic { turns.step(place, isChange: true) }
        cell.value.store(seen + 1, ordering: .relaxed)
      }
      return Race.Run(Array(repeating: body, count: count)) {
        let found = cell.value.load(ordering: .relaxed)
        return found == count ? [] : ["\(found) of \(count)"]
      }
    }
  }

  @Test("a lost update is found; where each update is one step all orders are good")
  func lostUpdate() throws {
    let broken = try ScheduleExplorer().explore(Self.increments(2, isAtomic: false))
    #expect(broken.failures.first?.findings == ["1 of 2"])
    let all = try ScheduleExplorer(failureLimit: 100).explore(Self.increments(2, isAtomic: false))
    // Six interleavings; the two reads may swap without a difference.
    #expect(all.isComplete && all.ends == 4 && all.failures.count == 2)
    let whole = try ScheduleExplorer().explore(Self.increments(3, isAtomic: true))
    #expect(whole.isComplete && whole.ends == 6 && whole.failures == [])
  }

  @Test("every outcome of three racing threads is reached")
  func outcomes() throws {
    let seen = Mutex<Set<[Int]>>([])
    let race = Race("outcomes", "who reads what", threads: 3) { turns in
      let cell = Cell()
      let reads = Mutex<[Int]>([0, 0, 0])
      let shared = Reads(reads)
      let bodies = (0..<3).map { index -> @Sendable () -> Void in
        {
          turns.step(Self.place, isChange: false)
          shared.reads.withLock { $0[index] = cell.value.load(ordering: .relaxed) }
          turns.step(Self.place, isChange: true)
          cell.value.store(index + 1, ordering: .relaxed)
        }
      }
      return Race.Run(bodies) {
        let result = shared.reads.withLock { $0 } + [cell.value.load(ordering: .relaxed)]
        seen.withLock { _ = $0.insert(result) }
        return []
      }
    }
    #expect(try ScheduleExplorer().explore(race).isComplete)
    #expect(seen.withLock { $0 } == Self.bruteForce())
  }

  final class Reads: Sendable {
    let reads: Mutex<[Int]>
    init(_ reads: consuming sending Mutex<[Int]>) { self.reads = reads }
  }

  /// The results of all 90 interleavings of three times a read and a write.
  static func bruteForce() -> Set<[Int]> {
    var results: Set<[Int]> = []
    func go(_ done: [Int], _ cell: Int, _ reads: [Int]) {
      if done == [2, 2, 2] {
        results.insert(reads + [cell])
        return
      }
      for thread in 0..<3 where done[thread] < 2 {
        var (done, cell, reads) = (done, cell, reads)
        if done[thread] == 0 { reads[thread] = cell } else { cell = thread + 1 }
        done[thread] += 1
        go(done, cell, reads)
      }
    }
    go([0, 0, 0], 0, [0, 0, 0])
    return results
  }

  @Test("threads that touch nothing in common have one schedule")
  func independent() throws {
    let race = Race("apart", "nothing shared", threads: 3) { turns in
      let bodies = (0..<3 as Range<UInt64>).map { index -> @Sendable () -> Void in
        {
          for _ in 0..<20 { turns.step(.entry(HPA(index * 8)), isChange: true) }
        }
      }
      return Race.Run(bodies) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    #expect(report.isComplete && report.runs == 1 && report.ends == 1 && report.longest == 63)
  }

  @Test("a race that is not the same each time is refused")
  func divergence() throws {
    let runs = Cell()
    let race = Race("moody", "its steps depend on the run", threads: 2) { turns in
      let run = runs.value.add(1, ordering: .relaxed).newValue
      let body: @Sendable () -> Void = {
        turns.step(.entry(HPA(run == 1 ? 0 : 8)), isChange: true)
      }
      return Race.Run([body, body]) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    let finding = try #require(report.failures.first?.findings.first)
    #expect(finding.hasSuffix("is not what it was in an earlier run"))
  }

  @Test("threads that wait for one another are found, and end")
  func deadlock() throws {
    let race = Race("deadlock", "two locks in two orders", threads: 2) { turns in
      let locks = [Cell(), Cell()]
      @Sendable func lock(_ index: Int) {
        turns.wait(.entry(HPA(UInt64(index) * 8)), isChange: true) {
          locks[index].value.load(ordering: .relaxed) == 0
        }
        locks[index].value.store(1, ordering: .relaxed)
      }
      @Sendable func unlock(_ index: Int) {
        turns.step(.entry(HPA(UInt64(index) * 8)), isChange: true)
        locks[index].value.store(0, ordering: .relaxed)
      }
      let body = { @Sendable (first: Int, second: Int) in
        lock(first)
        lock(second)
        unlock(second)
        unlock(first)
      }
      return Race.Run([{ body(0, 1) }, { body(1, 0) }]) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    let failure = try #require(report.failures.first)
    #expect(failure.findings == ["threads 0, 1 wait for one another"])
    let again = try ScheduleExplorer.replay(failure.schedule, of: race)
    #expect(again.failures.first?.findings == failure.findings)
  }

  @Test("a schedule is a line, and a line that cannot be run says where")
  func lines() throws {
    for line in ["", "0", "0x2,1,0x7", "9x50000"] {
      #expect(Schedule(line)?.description == line)
    }
    #expect(Schedule("1,1,1x2")?.description == "1x4")
    for line in [
      "x", "0x", "0x0", "a", "0,", ",0", "0x50001", "0x50000,1", "10", "-1", "0x-1", "0 ", "٣",
      "0x99999999999999999999",
    ] {
      #expect(Schedule(line) == nil, "\(line)")
    }
    let stray = try #require(Schedule("0x9"))
    let report = try ScheduleExplorer.replay(stray, of: Self.increments(2, isAtomic: true))
    #expect(report.failures.first?.findings == ["step 3: thread 0 cannot go on here"])
  }
}
