import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Testing
import X86EPT
import X86NPT

@Suite("Dirty logs")
struct DirtyLogTests {
  /// The pages of the bench that a log names; others are the guest's own tables.
  static func pages(_ words: [UInt64]) -> Set<UInt64> {
    let base = EPTBench.gpa >> 12
    var result: Set<UInt64> = []
    for (index, word) in words.enumerated() {
      for bit in 0..<64 as Range<UInt64> where word >> bit & 1 != 0 {
        let frame = UInt64(index) * 64 + bit
        if (base..<(base + 512)).contains(frame) { result.insert(frame - base) }
      }
    }
    return result
  }

  @Test(
    "T3 each method names exactly the pages written since the last look",
    arguments: DirtyMethod.allCases)
  func bitmap(method: DirtyMethod) throws {
    for backing in [PageSize.size4KiB, .size2MiB] {
      let bench = try EPTBench(backing: backing)
      let mmu = bench.mmu
      for page in 0..<8 as Range<UInt64> { bench.access(.write, page: page, value: 1) }
      try mmu.startDirtyLog(slot: 0, method)
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: true)).isEmpty)
      bench.access(.write, page: 3, value: 2)
      bench.access(.write, page: 4, value: 2)
      bench.access(.write, page: 4, value: 3)
      bench.access(.read, page: 5)
      bench.access(.write, page: 100, value: 4)
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: false)) == [3, 4, 100])
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: false)) == [3, 4, 100])
      #expect(mmu.audit() == [])
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: true)) == [3, 4, 100])
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: true)).isEmpty)
      bench.access(.write, page: 4, value: 5)
      #expect(Self.pages(try mmu.dirtyPages(ofSlot: 0, clearing: true)) == [4])
      try mmu.stopDirtyLog(slot: 0)
      #expect(bench.access(.write, page: 3, value: 9).value == 9)
      #expect(mmu.audit() == [])
      #expect(throws: DirtyLogError.notRunning(slot: 0)) {
        try mmu.dirtyPages(ofSlot: 0, clearing: true)
      }
    }
  }

  @Test("T3 clearing names pages one by one; the others stay", arguments: DirtyMethod.allCases)
  func clear(method: DirtyMethod) throws {
    let bench = try EPTBench()
    try bench.mmu.startDirtyLog(slot: 0, method)
    for page in [1, 2, 70] as [UInt64] { bench.access(.write, page: page, value: 1) }
    let first = Int(EPTBench.gpa >> 12) / 64
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: false)) == [1, 2, 70])
    try bench.mmu.clearDirtyPages(ofSlot: 0, firstWord: first, [1 << 2])
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: false)) == [1, 70])
    bench.access(.write, page: 2, value: 2)
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: false)) == [1, 2, 70])
    try bench.mmu.clearDirtyPages(ofSlot: 0, firstWord: .max, [~0, ~0])
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)) == [1, 2, 70])
  }

  @Test("T3 an initially-set log has every page and protects none before it is cleared")
  func initiallySet() throws {
    let bench = try EPTBench(backing: .size2MiB)
    bench.access(.write, page: 0, value: 1)
    let large = bench.entry(page: 0)?.spte
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect, isInitiallySet: true)
    #expect(bench.entry(page: 0)?.spte == large)
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: false)
    #expect(words.reduce(0) { $0 + $1.nonzeroBitCount } == 4096)
    let report = bench.access(.write, page: 0, value: 2)
    #expect(report.exits.total == 0)
    let first = Int(EPTBench.gpa >> 12) / 64
    try bench.mmu.clearDirtyPages(ofSlot: 0, firstWord: first, [1])
    #expect((bench.entry(page: 0)?.spte.rawValue ?? 2) & 2 == 0, "the large page lost W")
    bench.access(.write, page: 0, value: 3)
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)).contains(0))
  }

  @Test("E5 T3 a large page in a logged slot is split by the write, never made writable whole")
  func splitOnWrite() throws {
    let bench = try EPTBench(backing: .size2MiB)
    bench.access(.write, page: 0, value: 1)
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect)
    #expect(bench.entry(page: 0)?.level == .directory)
    bench.access(.write, page: 7, value: 2)
    let written = try #require(bench.entry(page: 7))
    #expect(written.level == .pageTable && written.spte.rawValue & 2 != 0)
    let beside = try #require(bench.entry(page: 8))
    #expect(beside.level == .pageTable && beside.spte.rawValue & 2 == 0)
    #expect(bench.mmu.audit() == [])
    // With an eager split nothing large is left to begin with.
    let eager = try EPTBench(backing: .size2MiB)
    eager.access(.write, page: 0, value: 1)
    try eager.mmu.startDirtyLog(slot: 0, .writeProtect, splitBudget: 64)
    #expect(eager.entry(page: 0)?.level == .pageTable)
    // At the end the small pages become large again.
    try eager.mmu.stopDirtyLog(slot: 0)
    #expect(eager.mmu.collapse(in: GFN(0)..<GFN(4096)) >= 1)
    #expect(eager.entry(page: 0)?.level == .directory)
    #expect(eager.mmu.audit() == [])
  }

  @Test(
    "T3 PML: the log fills from 511 down, and is full before the 513th write",
    arguments: [true, false])
  func modificationLog(usesRings: Bool) throws {
    let bench = try EPTBench(pages: 600, ring: 4096)
    for page in 0..<600 as Range<UInt64> { bench.access(.read, page: page) }
    try bench.mmu.startDirtyLog(slot: 0, .pageModificationLog, usesRings: usesRings)
    var exits = 0
    for page in 0..<600 as Range<UInt64> {
      let report = bench.access(.write, page: page, value: 1)
      #expect(report.value == 1)
      exits += report.exits[.pmlFull]
      // The guest's tables log too, when their D bits are set for it.
      if report.exits[.pmlFull] > 0 { #expect((500...512).contains(page)) }
      #expect(report.exits.total == report.exits[.pmlFull])
    }
    #expect(exits == 1)
    let base = EPTBench.gpa >> 12
    var found: Set<UInt64> = []
    if usesRings {
      for entry in bench.mmu.harvestDirtyRings() { found.insert(entry.offset) }
    } else {
      let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
      for frame in 0..<4096 as Range<UInt64> where words[Int(frame / 64)] >> (frame % 64) & 1 != 0 {
        found.insert(frame)
      }
    }
    #expect(found.isSuperset(of: base..<(base + 600)))
    #expect(found.contains { !(base..<(base + 600)).contains($0) }, "guest tables were written")
  }

  @Test("T3 a ring exits when it is softly full, and its places come free by harvest and reset")
  func ring() throws {
    let bench = try EPTBench(ring: 128)
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect, usesRings: true)
    var full: UInt64?
    for page in 0..<512 as Range<UInt64> where full == nil {
      let report = bench.access(.write, page: page, value: 1)
      if report.failure == .dirtyRingFull(vcpu: 0) {
        #expect(report.exits[.dirtyRingFull] == 1)
        full = page
      }
    }
    let stopped = try #require(full)
    #expect(stopped <= 64)
    let entries = bench.mmu.harvestDirtyRings()
    #expect(entries.count == 64)
    #expect(Set(entries).count == 64)
    // Harvested entries keep their places until they are reset.
    #expect(bench.access(.write, page: stopped, value: 1).failure == .dirtyRingFull(vcpu: 0))
    #expect(bench.mmu.harvestDirtyRings().isEmpty)
    #expect(bench.mmu.resetDirtyRings() == entries)
    #expect(bench.access(.write, page: stopped, value: 1).failure == nil)
    // A page that was reset is seen again.
    bench.access(.write, page: 0, value: 2)
    let seen = bench.mmu.harvestDirtyRings().map(\.offset)
    #expect(seen.contains(EPTBench.gpa >> 12))
  }

  @Test("T3 E2 without D bits the methods that need them are refused, write protection works")
  func withoutDirtyBits() throws {
    let bench = try EPTBench(accessedDirty: false)
    for method in [DirtyMethod.dirtyBit, .pageModificationLog] {
      #expect(throws: DirtyLogError.needsDirtyBit(method)) {
        try bench.mmu.startDirtyLog(slot: 0, method)
      }
    }
    #expect(throws: DirtyLogError.noRings) {
      try bench.mmu.startDirtyLog(slot: 0, .writeProtect, usesRings: true)
    }
    #expect(throws: DirtyLogError.memslot(.unknown(id: 5))) {
      try bench.mmu.startDirtyLog(slot: 5, .writeProtect)
    }
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect)
    #expect(throws: DirtyLogError.running(slot: 0)) {
      try bench.mmu.startDirtyLog(slot: 0, .writeProtect)
    }
    bench.access(.write, page: 9, value: 1)
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)) == [9])
  }

  @Test(
    "T2 T3 writes that only D knows of survive the end of their tables",
    arguments: [DirtyMethod.dirtyBit, .pageModificationLog])
  func tablesGo(method: DirtyMethod) throws {
    let bench = try EPTBench()
    try bench.mmu.startDirtyLog(slot: 0, method)
    bench.access(.write, page: 1, value: 1)
    bench.access(.write, page: 2, value: 1)
    bench.mmu.zap(bench.frames(1..<2))
    bench.mmu.invalidateAll()
    bench.access(.read, page: 50)
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)) == [1, 2])
  }

  @Test("T3 writes from outside the guest are recorded too")
  func pokes() throws {
    let bench = try EPTBench()
    try bench.mmu.startDirtyLog(slot: 0, .writeProtect)
    let bytes: [UInt8] = [1, 2, 3]
    // SAFETY: bytes have no padding.
    _ = unsafe bench.rig.memory.view.write(bytes.span.bytes, at: GPA(EPTBench.gpa + 0x1FFE))
    #expect(Self.pages(try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)) == [1, 2])
  }
}
