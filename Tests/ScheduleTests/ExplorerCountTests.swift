import Paging
import Schedules
import Synchronization
import Testing

/// Races whose ends are counted by other means: none is missed, and none is reached twice.
@Suite("Schedule explorer, counted")
struct ExplorerCountTests {
  final class Cell: Sendable { let value = Atomic(0) }

  static func place(_ number: Int) -> SharedPlace { .entry(HPA(UInt64(number))) }

  @Test(
    "random programs come to the ends of all their interleavings, each once",
    arguments: [false, true])
  func random(byOrder: Bool) throws {
    var generator = Generator(state: 20)
    for _ in 0..<150 {
      let program = SmallProgram(by: &generator)
      let expected = program.ends(byOrder: byOrder)
      let report = try ScheduleExplorer(failureLimit: 1000).explore(program.race(byOrder: byOrder))
      #expect(report.isComplete)
      #expect(report.ends == expected.count, "\(program)")
      #expect(report.failures.count == expected.count { $0.isStuck }, "\(program)")
    }
  }

  struct Generator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state &+= 0x9E37_79B9_7F4A_7C15
      var word = state
      word = (word ^ word >> 30) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
      return word ^ word >> 31
    }
  }

  @Test("writers of one cell come in every order", arguments: [(2, 2), (3, 6), (4, 24), (5, 120)])
  func writers(count: Int, orders: Int) throws {
    let race = Race("writers", "one cell", threads: count) { turns in
      let body: @Sendable () -> Void = { turns.step(Self.place(0), isChange: true) }
      return Race.Run(Array(repeating: body, count: count)) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    #expect(report.isComplete && report.ends == orders)
  }

  @Test("each reader of a cell comes before its writer or after", arguments: 1...6)
  func readers(count: Int) throws {
    func race(_ content: UInt64?) -> Race {
      Race("readers", "one writer", threads: count + 1) { turns in
        let bodies = (0...count).map { number -> @Sendable () -> Void in
          { turns.step(Self.place(0), isChange: number == 0) }
        }
        return Race.Run(bodies, content: { _ in content }) { [] }
      }
    }
    let report = try ScheduleExplorer().explore(race(nil))
    #expect(report.isComplete && report.ends == 1 << count)
    // Where the writer leaves the cell as it was, nobody can tell.
    let quiet = try ScheduleExplorer().explore(race(7))
    #expect(quiet.isComplete && quiet.ends == 1)
  }

  /// Abdulla, Aronis, Jonsson and Sagonas, "Optimal Dynamic Partial Order Reduction" (POPL 2014), give
  /// 64 for 5 writers, 3,328 for 10 and 147,456 for 15: (n + 3) · 2ⁿ⁻².
  @Test("the last zero of an array", arguments: [(1, 2), (2, 5), (3, 12), (4, 28), (5, 64)])
  func lastZero(count: Int, orders: Int) throws {
    let race = Race("lastzero", "one looks while others fill", threads: count + 1) { turns in
      let array = (0...count).map { _ in Cell() }
      @Sendable func load(_ index: Int) -> Int {
        turns.step(Self.place(index), isChange: false)
        return array[index].value.load(ordering: .relaxed)
      }
      let bodies = (0...count).map { number -> @Sendable () -> Void in
        {
          guard number > 0 else {
            var index = count
            while load(index) != 0 { index -= 1 }
            return
          }
          let value = load(number - 1)
          turns.step(Self.place(number), isChange: true)
          array[number].value.store(value + 1, ordering: .relaxed)
        }
      }
      return Race.Run(bodies) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    #expect(report.isComplete && report.ends == orders)
  }

  /// Flanagan and Godefroid, "Dynamic Partial-Order Reduction for Model Checking Software" (POPL 2005),
  /// figure 4: 13 threads have nothing in common; each one more shares a block's lock with another.
  @Test("files of a file system", arguments: [(12, 1), (13, 1), (14, 2), (16, 8)])
  func fileSystem(count: Int, orders: Int) throws {
    let race = Race("filesystem", "inodes and blocks", threads: count) { turns in
      let blocks = (0..<26).map { _ in (lock: Cell(), isBusy: Cell()) }
      @Sendable func withLock(_ block: Int, _ body: () -> Bool) -> Bool {
        let lock = blocks[block].lock
        turns.wait(Self.place(block), isChange: true) { lock.value.load(ordering: .relaxed) == 0 }
        lock.value.store(1, ordering: .relaxed)
        let result = body()
        turns.step(Self.place(block), isChange: true)
        lock.value.store(0, ordering: .relaxed)
        return result
      }
      let bodies = (0..<count).map { inode -> @Sendable () -> Void in
        {
          var block = inode * 2 % 26
          while !withLock(
            block,
            { blocks[block].isBusy.value.exchange(1, ordering: .relaxed) == 0 })
          { block = (block + 1) % 26 }
        }
      }
      return Race.Run(bodies) { [] }
    }
    let report = try ScheduleExplorer().explore(race)
    #expect(report.isComplete && report.ends == orders && report.failures == [])
  }
}
