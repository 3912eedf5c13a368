import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Synchronization
import Testing
import X86EPT
import X86NPT

/// Notes every write that it hears of.
private final class Notes: WriteTracker {
  let written = Mutex<[GPA]>([])
  func memoryWritten(_ gpa: GPA, byteCount: Int) { written.withLock { $0.append(gpa) } }
}

@Suite("Write tracking of the second level")
struct FrameTrackingTests {
  @Test("T6 every write to a tracked frame is told, reads and other frames cost nothing")
  func tracks() throws {
    let bench = try EPTBench(backing: .size2MiB)
    let notes = Notes()
    bench.access(.write, page: 3, value: 1)
    #expect(bench.entry(page: 3)?.level == .directory)
    let id = bench.mmu.trackWrites(to: bench.frames(3..<4), by: notes)
    #expect(bench.access(.read, page: 3).value == 1)
    let leaf = try #require(bench.entry(page: 3))
    #expect(leaf.level == .pageTable, "a large page would let others through")
    #expect(!bench.mmu.encoder.isWritable(leaf.spte) && !bench.mmu.encoder.isMMUWritable(leaf.spte))
    #expect(bench.mmu.encoder.isHostWritable(leaf.spte))
    for value in 2...4 as ClosedRange<UInt128> {
      let report = bench.access(.write, page: 3, value: value)
      #expect(report.value == value && report.exits[.eptViolation] == 1)
    }
    bench.access(.write, page: 4, value: 9)
    #expect(bench.access(.write, page: 4, value: 9).exits.total == 0)
    #expect(notes.written.withLock { $0.count } == 3)
    #expect(bench.access(.read, page: 3).value == 4)
    // From outside too.
    _ = unsafe bench.rig.memory.view.write([7].span.bytes, at: GPA(EPTBench.gpa + 3 << 12))
    #expect(notes.written.withLock { $0.last } == GPA(EPTBench.gpa + 3 << 12))
    #expect(bench.mmu.audit() == [])
    bench.mmu.stopTrackingWrites(id)
    bench.access(.write, page: 3, value: 5)
    #expect(bench.access(.write, page: 3, value: 6).exits.total == 0)
    #expect(notes.written.withLock { $0.count } == 4)
  }

  @Test("T6 T3 a write to a tracked frame is in the dirty log")
  func logged() throws {
    let bench = try EPTBench()
    _ = bench.mmu.trackWrites(to: bench.frames(3..<4), by: Notes())
    try bench.mmu.startDirtyLog(slot: 0, .pageModificationLog)
    _ = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    bench.access(.write, page: 3, value: 1)
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    #expect(words[Int(EPTBench.gpa >> 12 / 64)] >> 3 & 1 == 1)
    #expect(bench.mmu.audit() == [])
  }

  @Test("T6 W11 a guest's table that is tracked keeps its A and D through software")
  func trackedTable() throws {
    let bench = try EPTBench(pages: 4)
    let notes = Notes()
    let entry = bench.rig.tables.place(EPTBench.base, level: 1)
    _ = bench.mmu.trackWrites(to: entry.frame..<entry.frame.wrappingAdd(1), by: notes)
    let report = bench.access(.write, page: 0, value: 5)
    #expect(report.value == 5)
    #expect(bench.rig.tables.peek(entry) & 0x60 == 0x60)
    #expect(notes.written.withLock { $0.contains(entry) })
  }
}

@Suite("A/D kinds of the second level")
struct ADKindTests {
  @Test(
    "E2 T3 where D is not to be relied on writes are found by protection, whatever the method",
    arguments: DirtyMethod.allCases)
  func writeProtectOnly(method: DirtyMethod) throws {
    let bench = try EPTBench(slotFlags: .dirtyByProtection)
    let encoder = bench.mmu.encoder
    bench.access(.write, page: 1, value: 1)
    let before = try #require(bench.entry(page: 1)).spte
    #expect(before.rawValue >> 52 & 3 == 2, "kind 2")
    #expect(encoder.hasHardwareAD(before) && encoder.isDirty(before))
    try bench.mmu.startDirtyLog(slot: 0, method)
    #expect(!encoder.isWritable(try #require(bench.entry(page: 1)).spte))
    #expect(bench.access(.read, page: 2).value == 0)
    #expect(!encoder.isWritable(try #require(bench.entry(page: 2)).spte), "a clean page waits")
    for page in [1, 2] as [UInt64] {
      let report = bench.access(.write, page: page, value: 7)
      #expect(report.exits[.eptViolation] == 1 && report.exits[.pmlFull] == 0)
    }
    let words = try bench.mmu.dirtyPages(ofSlot: 0, clearing: true)
    #expect(words[Int(EPTBench.gpa >> 12 / 64)] & 0b1110 == 0b0110)
    #expect(!encoder.isWritable(try #require(bench.entry(page: 1)).spte))
    #expect(bench.access(.write, page: 1, value: 8).exits[.eptViolation] > 0)
    #expect(bench.mmu.audit() == [])
  }

  @Test("E2 NPT has no kinds: its A and D are always live")
  func nestedPaging() throws {
    let encoder = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 44))
    var request = LeafRequest(pfn: PFN(5), level: .pageTable, permissions: .all)
    let plain = encoder.leaf(request)
    request.isDirtyByProtection = true
    #expect(encoder.leaf(request) == plain && encoder.hasHardwareAD(plain))
    #expect(!encoder.isDirtyByProtection(plain))
  }

  @Test("E2 kind 1 has no A and D; every kind is in its own two bits")
  func kinds() throws {
    for (accessedDirty, isProtected, kind) in [
      (true, false, 0), (false, false, 1), (true, true, 2),
    ] {
      let encoder = try EPTEncoder(
        EPTCapabilities(physicalAddressWidth: 44, accessedDirty: accessedDirty))
      let leaf = encoder.leaf(
        LeafRequest(
          pfn: PFN(5), level: .pageTable, permissions: .all, isDirtyByProtection: isProtected))
      #expect(leaf.rawValue >> 52 & 3 == UInt64(kind))
      #expect(encoder.hasHardwareAD(leaf) == (kind != 1))
      #expect(encoder.isDirtyByProtection(leaf) == (kind != 0))
      #expect(encoder.pfn(of: leaf) == PFN(5))
    }
  }
}
