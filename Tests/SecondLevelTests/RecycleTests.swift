import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Synchronization
import TestSupport
import Testing
import X86EPT
import X86NPT

/// Chooses the youngest table, and notes what it was offered.
private final class Youngest: MMUPolicy {
  let offered = Mutex<[[ZapCandidate]]>([])
  func zapChoice(among candidates: [ZapCandidate]) -> Int? {
    offered.withLock { $0.append(candidates) }
    return candidates.count - 1
  }
}

/// Chooses what is not there.
private struct Nonsense: MMUPolicy {
  func zapChoice(among candidates: [ZapCandidate]) -> Int? { 1 << 40 }
}

@Suite("A pool of table pages that is dry")
struct RecycleTests {
  static let base: UInt64 = 0x6000_0000

  /// A guest whose pages lie a GiB apart, so that each needs two tables of its own.
  private func scattered<Policy: MMUPolicy>(
    _ policy: Policy, pages: UInt64, tablePages: Int, vcpus: Int = 1
  ) throws -> PolicyRig<EPTEncoder, Policy> {
    let rig = try PolicyRig(
      EPTEncoder(EPTCapabilities(physicalAddressWidth: 44)), policy, backing: .size4KiB,
      tablePages: tablePages, vcpus: vcpus, pages: 8)
    try rig.memory.update { table throws(MemslotError) in
      var table = table
      for index in 0..<pages {
        table = try table.adding(
          Memslot(
            id: Int(index) + 1, base: GFN((index + 1) << 18), frameCount: 1,
            host: HPA(40 << 20 + index << 12)))
      }
      return table
    }
    for index in 0..<pages {
      rig.tables.map(Self.base + index << 12, to: (index + 1) << 30)
    }
    return rig
  }

  @Test("T9 a hostile layout never makes more table pages than the limit, and goes on")
  func hostileLayout() throws {
    let limit = 60
    let rig = try scattered(DefaultPolicy(), pages: 200, tablePages: limit)
    for round in 0..<2 {
      for index in 0..<200 as Range<UInt64> {
        let value = UInt128(index) << 8 | UInt128(round)
        let report = rig.access(.write, Self.base + index << 12, value: value)
        #expect(report.value == value, "round \(round), page \(index)")
        #expect(rig.mmu.tablePages <= limit)
      }
      #expect(rig.mmu.audit() == [])
    }
    for index in 0..<200 as Range<UInt64> {
      #expect(rig.access(.read, Self.base + index << 12).value == UInt128(index) << 8 | 1)
    }
    #expect(rig.machine.counters.recycled > 100)
  }

  @Test("T9 the policy chooses which table goes, oldest offered first; nonsense is not followed")
  func policyChooses() throws {
    let policy = Youngest()
    let rig = try scattered(policy, pages: 60, tablePages: 60)
    for index in 0..<60 as Range<UInt64> {
      // The youngest table may be one that the access needs: it then gives up in time.
      _ = rig.access(.read, Self.base + index << 12)
    }
    let offered = policy.offered.withLock { $0 }
    #expect(!offered.isEmpty)
    for candidates in offered {
      #expect(candidates.map(\.age) == candidates.map(\.age).sorted(by: >))
    }
    let other = try scattered(Nonsense(), pages: 60, tablePages: 60)
    for index in 0..<60 as Range<UInt64> {
      #expect(other.access(.read, Self.base + index << 12).value == 0)
    }
    #expect(other.mmu.audit() == [])
  }

  @Test("T9 several vCPUs on a dry pool get on")
  func parallel() throws {
    let rig = try scattered(DefaultPolicy(), pages: 120, tablePages: 140, vcpus: 3)
    let failures = Mutex<[String]>([])
    runThreads(3) { vcpu in
      var random = SeededGenerator(seed: UInt64(vcpu) + 5)
      for _ in 0..<150 {
        let report = rig.access(.read, Self.base + random.next() % 120 << 12, vcpu: vcpu)
        if report.value != 0 { failures.withLock { $0.append("\(report.outcome)") } }
      }
    }
    #expect(failures.withLock { $0 } == [])
    #expect(rig.mmu.tablePages <= 140)
    #expect(rig.mmu.audit() == [])
  }

  @Test("T9 T2 in a space of 52 bits a page at the very top is mapped and found")
  func topOfTheSpace() throws {
    let memory = GuestMemory(host: try HostMemory(byteCount: 64 << 20))
    let top = GFN(1 << 40 - 1)
    try memory.update { table throws(MemslotError) in
      try table.adding(.ram).adding(Memslot(id: 1, base: top, frameCount: 1, host: HPA(40 << 20)))
    }
    let mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 52, levels: 5)),
      policy: DefaultPolicy(), memory: memory, pool: TablePool(first: PFN(16), limit: 64))
    var cpu = try mmu.makeCPU(index: 0)
    defer { mmu.leave(&cpu) }
    let gpa = top.baseAddress.wrappingAdd(0xFF8)
    let exit = try #require(
      Self.exit(of: mmu.walk(gpa, .write, isUser: false, for: GVA(0), on: &cpu)))
    #expect(mmu.handle(exit, on: &cpu, NoObserver()) == .fixed)
    #expect(
      try mmu.walk(gpa, .write, isUser: false, for: GVA(0), on: &cpu).get() == HPA(40 << 20 + 0xFF8)
    )
    #expect(mmu.audit() == [])
  }

  private static func exit<Exit>(
    of result: Result<HPA?, HardwareFailure<Never, Exit>>
  ) -> Exit? {
    if case .failure(.exit(let exit)) = result { return exit }
    return nil
  }
}
