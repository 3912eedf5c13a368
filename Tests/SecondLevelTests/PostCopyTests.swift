import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Synchronization
import TestSupport
import Testing
import X86EPT

/// Brings pages from another machine's memory, and counts how often each is asked for.
private final class Source: MissingPageHandler {
  let memory: GuestMemory
  let asked = Mutex<[GFN: Int]>([:])
  private let answers: @Sendable (GFN) -> MissingPageAnswer?

  /// - Parameter answers: what is answered in place of the page; `nil` for the page.
  init(
    _ memory: GuestMemory, answers: @escaping @Sendable (GFN) -> MissingPageAnswer? = { _ in nil }
  ) {
    self.memory = memory
    self.answers = answers
  }

  func page(_ gfn: GFN) -> MissingPageAnswer {
    asked.withLock { $0[gfn, default: 0] += 1 }
    return answers(gfn) ?? .page(memory.view.read(gfn.baseAddress, count: 4096))
  }

  var mostOften: Int { asked.withLock { $0.values.max() ?? 0 } }
}

/// A stopped machine, and another to which its guest has gone without its memory.
private struct PostCopy {
  static let pages: UInt64 = 64
  let source: EPTBench
  let handler: Source
  let missing: MissingPages
  let target: EPTBench

  init(
    vcpus: Int = 1, backing: PageSize = .size4KiB,
    answers: @escaping @Sendable (GFN) -> MissingPageAnswer? = { _ in nil }
  ) throws {
    source = try EPTBench(pages: Self.pages)
    for page in 0..<Self.pages { source.access(.write, page: page, value: UInt128(page) + 1) }
    handler = Source(source.rig.memory, answers: answers)
    missing = try #require(MissingPages(frameCount: 4096, from: handler))
    target = try EPTBench(backing: backing, vcpus: vcpus, pages: 0, missing: missing)
  }
}

@Suite("Pages that come when they are needed")
struct PostCopyTests {
  @Test("F3 T1 a page is asked for when it is needed, once, in the same exit")
  func onDemand() throws {
    let copy = try PostCopy()
    let first = copy.target.access(.read, page: 3)
    #expect(first.value == 4)
    // Four tables of the guest's and the page.
    #expect(first.exits[.eptViolation] == 5 && first.exits.total == 5)
    #expect(copy.missing.fetched == 5)
    #expect(copy.target.access(.read, page: 4).value == 5)
    #expect(copy.missing.fetched == 6)
    #expect(copy.target.access(.write, page: 4, value: 9).value == 9)
    #expect(copy.handler.mostOften == 1)
    #expect(copy.target.mmu.audit() == [])
    #expect(copy.missing.remaining == 4096 - 6)
  }

  @Test("F3 what has not come yet is asked for again; what is lost is an error")
  func laterAndLost() throws {
    let isReady = Atomic(false)
    let frame = GFN(EPTBench.gpa >> 12)
    try withExtendedLifetime(isReady) {
      let ready = Mutex(0)
      let copy = try PostCopy { gfn in
        if gfn == frame.wrappingAdd(1) { return .failed }
        guard gfn == frame else { return nil }
        return ready.withLock { turns in
          turns += 1
          return turns < 3 ? .later : nil
        }
      }
      #expect(copy.target.access(.read, page: 0).failure == .pageNotYet(frame))
      #expect(copy.target.access(.write, page: 0, value: 1).failure == .pageNotYet(frame))
      #expect(copy.target.access(.read, page: 0).value == 1)
      #expect(copy.target.access(.read, page: 1).failure == .pageLost(frame.wrappingAdd(1)))
      #expect(copy.target.access(.read, page: 2).value == 3, "others are not held up")
      #expect(copy.target.mmu.audit() == [])
    }
  }

  @Test("F11 no large page is mapped before all pages are there")
  func largePages() throws {
    let copy = try PostCopy(backing: .size2MiB)
    copy.target.access(.read, page: 0)
    #expect(copy.target.entry(page: 0)?.level == .pageTable)
    #expect(copy.target.rig.memory.fetchMissingPages(atMost: 1 << 20) == 4096 - 5)
    #expect(copy.missing.isComplete)
    copy.target.mmu.zap(GFN(0)..<GFN(4096))
    #expect(copy.target.access(.read, page: 7).value == 8)
    #expect(copy.target.entry(page: 7)?.level == .directory)
    #expect(copy.target.mmu.audit() == [])
  }

  @Test("software that reads guest memory asks too, but not through a view of what is there")
  func software() throws {
    let copy = try PostCopy()
    let memory = copy.target.rig.memory
    #expect(memory.presentView.read(GPA(EPTBench.gpa), count: 16).isEmpty)
    #expect(copy.missing.fetched == 0)
    #expect(memory.view.read(GPA(EPTBench.gpa + 8), count: 1) == [1])
    #expect(copy.missing.fetched == 1)
    #expect(memory.presentView.read(GPA(EPTBench.gpa + 8), count: 1) == [1])
  }

  @Test("a snapshot knows which pages had not come; they are asked for anew")
  func snapshot() throws {
    let copy = try PostCopy()
    copy.target.access(.read, page: 0)
    let snapshot = try copy.target.rig.machine.snapshot()
    copy.target.access(.write, page: 1, value: 77)
    try copy.target.rig.machine.restore(snapshot)
    #expect(copy.missing.remaining == 4096 - 5)
    #expect(copy.target.access(.read, page: 1).value == 2, "as it is at the source")
    #expect(copy.target.access(.read, page: 0).value == 1)
  }

  @Test(
    "T1 a guest runs on several vCPUs while its memory follows: nothing lost, nothing asked twice")
  func migration() throws {
    for seed in 1...4 as ClosedRange<UInt64> {
      let vcpus = 3
      let copy = try PostCopy(vcpus: vcpus)
      let failures = Mutex<[String]>([])
      let written = Mutex<[UInt64: UInt128]>([:])
      runThreads(vcpus + 1) { index in
        guard index < vcpus else {
          // The stream beside the guest.
          while !copy.missing.isComplete {
            _ = copy.target.rig.memory.fetchMissingPages(atMost: 32)
          }
          return
        }
        var random = SeededGenerator(seed: seed << 8 | UInt64(index))
        for turn in 0..<300 as Range<UInt64> {
          let page = random.next() % PostCopy.pages
          // Each vCPU has cells of its own in every page; 8 is the source's.
          let offset = 64 + UInt64(index) * 8
          let gva = EPTBench.base + page << 12
          if random.oneIn(3) {
            let value = UInt128(turn) << 8 | UInt128(index + 1)
            let report = copy.target.rig.access(.write, gva + offset, value: value, vcpu: index)
            if report.value != value { failures.withLock { $0.append("\(report.outcome)") } }
            written.withLock { $0[EPTBench.gpa + page << 12 + offset] = value }
          } else {
            let report = copy.target.rig.access(.read, gva + 8, vcpu: index)
            if report.value != UInt128(page) + 1 {
              failures.withLock { $0.append("page \(page): \(report.outcome)") }
            }
          }
        }
      }
      #expect(failures.withLock { $0 } == [], "seed \(seed)")
      #expect(copy.missing.isComplete && copy.handler.mostOften == 1, "seed \(seed)")
      #expect(copy.missing.fetched == 4096)
      for (gpa, value) in written.withLock({ $0 }) {
        let host = copy.target.rig.memory.host.view
        let place = try #require(copy.target.rig.memory.hpa(of: GPA(gpa)))
        #expect(host.readValue(place, size: 8) == value, "seed \(seed), \(gpa)")
      }
      #expect(copy.target.mmu.audit() == [], "seed \(seed)")
    }
  }
}
