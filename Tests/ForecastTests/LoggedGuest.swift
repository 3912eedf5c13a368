import Forecast
import GuestImage
import MMU
import Machine
import MachineSupport
import Paging
import Scenario
import TestSupport
import Testing
import X86
import X86EPT
import X86Guest

/// A guest of three vCPUs whose written pages are logged, in rounds, on a machine.
struct LoggedGuest {
  typealias Tables = TDPMMU<EPTEncoder, DefaultPolicy>
  static let vcpus = 3
  static let frames: UInt64 = 2048
  static let root: UInt64 = 0x1000
  static let data: UInt64 = 0x20_0000
  static let base: UInt64 = 0x7F_4000_0000
  static let pages: UInt64 = 1400

  static let state = X86Registers(
    cr0: [.protectionEnable, .writeProtect, .paging], cr3: root,
    cr4: [.physicalAddressExtension],
    efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
  static let features = X86Features(physicalAddressWidth: 40)

  let memory: GuestMemory
  let mmu: Tables
  let machine: Machine<X86Processor, Tables, NoObserver>

  /// A guest of 8 MiB with the first pages of `data` mapped at `base`, some of them read-only, the last
  /// two mebibytes as one large page.
  init(backing: PageSize, ring: Int?) throws {
    memory = GuestMemory(host: try HostMemory(byteCount: 32 << 20))
    try memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(
          id: 0, base: GFN(0), frameCount: Self.frames, host: HPA(16 << 20), backing: backing))
    }
    mmu = try TDPMMU(
      encoder: EPTEncoder(EPTCapabilities(physicalAddressWidth: 40)), policy: DefaultPolicy(),
      memory: memory, pool: TablePool(first: PFN(16), limit: 1000), dirtyRingSize: ring)
    machine = try Machine(
      guests: (0..<Self.vcpus).map { _ in X86Processor(Self.state, Self.features) }, mmu: mmu)
    var tables = GPA(Self.root + 4096)
    for page in 0..<Self.pages {
      // A page in 50 is not there; a page in 10 is read-only.
      if page % 50 == 49 { continue }
      try machine.mapGuest(
        GVA(Self.base + page << 12), to: GPA(Self.data + page << 12),
        permissions: page % 10 == 3 ? .read : [.read, .write], tables: &tables)
    }
    try #require(tables.rawValue <= Self.data)
  }

  /// The guest's memory, as a file would hold it.
  func image() throws -> ImageAddressSpace {
    let bytes = memory.view.read(GPA(0), count: Int(Self.frames << 12))
    let image = try GuestImage(copying: bytes, as: .raw(base: GPA(0)))
    var values = RegisterValues()
    values.mode = .long4
    values.cr0 = Self.state.cr0.rawValue
    values.cr3 = Self.state.cr3
    values.cr4 = Self.state.cr4.rawValue
    values.efer = Self.state.efer.rawValue
    values.physicalAddressWidth = 40
    return try ImageAddressSpace(
      image, ImageRegisters(of: image, cpu: 0, given: values, sidecar: RegisterValues()))
  }

  /// Accesses of all vCPUs: few pages hot, some read-only or missing, some that cross a page.
  static func trace(seed: UInt64, count: Int, vcpus: Int = vcpus) throws -> [TraceRecord] {
    var random = SeededGenerator(seed: seed)
    let lines = (0..<count).map { _ in
      let page = random.flip() ? random.next() % 40 : random.next() % pages
      let isCrossing = random.oneIn(20)
      let va = base + page << 12 + (isCrossing ? 4092 : random.next() % 500 * 8)
      return "{\"vcpu\": \(random.below(vcpus)), \"op\": \"\(random.oneIn(3) ? "r" : "w")\","
        + " \"va\": \(va), \"size\": 8}"
    }
    return try TraceRecord.read(Array(lines.joined(separator: "\n").utf8))
  }

  private func perform(_ record: TraceRecord) -> AccessReport<X86Fault> {
    machine.vcpu(
      record.access.vcpu, access: X86Access(record.access.kind), at: record.access.va,
      size: record.access.size, value: 0)
  }

  private func exits(_ cause: ExitCause) -> Int {
    machine.vcpus.reduce(0) { $0 + $1.exits[cause] }
  }

  /// Runs a trace once, then again in rounds with the log on, and counts what the machine counts.
  func run(
    _ trace: [TraceRecord], _ policy: ForecastPolicy, roundLength: Int
  ) throws -> ForecastCounts {
    for record in trace { _ = perform(record) }
    var counts = ForecastCounts()
    let (faults, flushes, tables) = (exits(.eptViolation), mmu.flushCount, mmu.tablePages)
    try mmu.startDirtyLog(
      slot: 0, policy.method, usesRings: policy.usesRings,
      splitBudget: policy.splitsEagerly ? 100 : 0)
    counts.splits = mmu.tablePages - tables
    var sent = 0
    for (index, record) in trace.enumerated() {
      while case .failed(.dirtyRingFull) = perform(record).outcome {
        _ = mmu.harvestDirtyRings()
        sent += Set(mmu.resetDirtyRings()).count
      }
      guard (index + 1) % roundLength == 0 || index + 1 == trace.count else { continue }
      var frames: Set<UInt64> = []
      if policy.usesRings {
        _ = mmu.harvestDirtyRings()
        frames.formUnion(mmu.resetDirtyRings().map(\.offset))
      }
      for (word, bits) in try mmu.dirtyPages(ofSlot: 0, clearing: true).enumerated() {
        for bit in 0..<64 as Range<UInt64> where bits >> bit & 1 != 0 {
          frames.insert(UInt64(word) * 64 + bit)
        }
      }
      counts.sent.append(frames.count + sent)
      sent = 0
    }
    counts.faults = exits(.eptViolation) - faults
    counts.flushes = Int(mmu.flushCount - flushes)
    counts.ringFullExits = exits(.dirtyRingFull)
    counts.modificationLogExits = exits(.pmlFull)
    counts.splits += machine.counters.splits
    #expect(mmu.audit() == [])
    return counts
  }
}
