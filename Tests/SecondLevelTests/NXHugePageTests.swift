import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT
import X86NPT

/// Recovers as many as it is told.
private struct Recovery: MMUPolicy {
  let count: Int
  func nxRecovery(splitCount: Int, standard: Int) -> Int { count }
}

/// Keeps X from one frame.
private struct Withholding: MMUPolicy {
  let gfn: GFN
  func withheldPermissions(gfn: GFN) -> Permissions { gfn == self.gfn ? [.execute] : [] }
}

@Suite("NX huge pages")
struct NXHugePageTests {
  private static func ept(accessedDirty: Bool = true) throws -> EPTEncoder {
    try EPTEncoder(EPTCapabilities(physicalAddressWidth: 44, accessedDirty: accessedDirty))
  }

  @Test("T6 E18 a fetch from a large page makes it small and executable; a read does not")
  func fetchSplits() throws {
    let bench = try PolicyRig(try Self.ept(), DefaultPolicy(), nxHugePages: true)
    let (mmu, encoder) = (bench.mmu, bench.mmu.encoder)
    #expect(bench.access(.write, page: 3, value: 7).value == 7)
    let large = try #require(bench.entry(page: 3))
    #expect(large.level == .directory && !encoder.permits(.fetch, large.spte))
    let fetched = bench.access(.fetch, page: 3)
    #expect(fetched.value == 7 && fetched.exits[.eptViolation] == 1)
    let small = try #require(bench.entry(page: 9))
    #expect(small.level == .pageTable && encoder.permits(.fetch, small.spte))
    #expect(encoder.permits(.write, small.spte))
    #expect(mmu.nxCounts == NXHugePageCounts(current: 1, made: 1, recovered: 0))
    #expect(mmu.audit() == [])
    // A collapse leaves what a fetch has split, or the next fetch would split it again.
    #expect(mmu.collapse(in: GFN(0)..<GFN(4096)) == 0)
  }

  @Test("E18 X is returned through access-tracked leaves, and taken again by a collapse")
  func trackedSplit() throws {
    let bench = try PolicyRig(
      try Self.ept(accessedDirty: false), DefaultPolicy(), nxHugePages: true)
    let (mmu, encoder) = (bench.mmu, bench.mmu.encoder)
    _ = bench.access(.write, page: 3, value: 7)
    let range = GFN(0x200)..<GFN(0x400)
    #expect(mmu.age(range, clearing: true) == 1)
    #expect(mmu.splitLargePages(in: range, budget: 1).splits == 1)
    let tracked = try #require(bench.entry(page: 9))
    #expect(tracked.level == .pageTable && encoder.isAccessTracked(tracked.spte))
    #expect(!encoder.permits(.fetch, tracked.spte))
    #expect(encoder.permits(.fetch, encoder.accessRestored(tracked.spte)))
    #expect(bench.access(.fetch, page: 9).value == 0)
    #expect(mmu.audit() == [])
    #expect(mmu.collapse(in: range) == 1)
    let large = try #require(bench.entry(page: 9))
    #expect(large.level == .directory && !encoder.permits(.fetch, large.spte))
    #expect(!encoder.isAccessTracked(large.spte))
    #expect(mmu.audit() == [])
  }

  @Test("T6 E18 what a policy withholds is not returned by a split")
  func withheld() throws {
    let bench = try PolicyRig(try Self.ept(), Withholding(gfn: GFN(0x205)), nxHugePages: true)
    _ = bench.access(.read, page: 3)
    #expect(bench.access(.fetch, page: 3).value != nil)
    #expect(bench.access(.fetch, page: 5).failure == .denied(GFN(0x205).baseAddress))
    #expect(bench.access(.fetch, page: 6).exits.total == 0)
  }

  @Test("T6 recovery takes the oldest, as many as the policy says, and not where writes are logged")
  func recovery() throws {
    let bench = try PolicyRig(try Self.ept(), Recovery(count: 2), nxHugePages: true)
    let mmu = bench.mmu
    for region in 0..<4 as Range<UInt64> { _ = bench.access(.fetch, page: region * 512) }
    #expect(mmu.nxCounts.current == 4)
    let pages = mmu.tablePages
    #expect(mmu.recoverNXHugePages() == 2)
    #expect(mmu.tablePages == pages - 2)
    #expect(mmu.nxCounts == NXHugePageCounts(current: 2, made: 4, recovered: 2))
    #expect(bench.access(.read, page: 0).exits[.eptViolation] == 1)
    #expect(try #require(bench.entry(page: 0)).level == .directory)
    #expect(try #require(bench.entry(page: 1024)).level == .pageTable, "a younger one stays")
    try mmu.startDirtyLog(slot: 0, .writeProtect)
    #expect(mmu.recoverNXHugePages() == 0)
    try mmu.stopDirtyLog(slot: 0)
    #expect(mmu.recoverNXHugePages() == 2)
    #expect(mmu.nxCounts.current == 0)
    #expect(mmu.audit() == [])
  }

  @Test("T6 a zap and a dropped root forget their splits")
  func forgotten() throws {
    let bench = try PolicyRig(try Self.ept(), DefaultPolicy(), nxHugePages: true)
    let mmu = bench.mmu
    _ = bench.access(.fetch, page: 0)
    _ = bench.access(.fetch, page: 512)
    mmu.zap(GFN(0x200)..<GFN(0x400))
    #expect(mmu.nxCounts.current == 1)
    mmu.invalidateAll()
    _ = bench.access(.read, page: 0)
    #expect(mmu.nxCounts.current == 0)
    #expect(mmu.recoverNXHugePages() == 0)
  }

  @Test("T6 E12 NPT: NX stands for X that is missing")
  func nestedPaging() throws {
    let bench = try PolicyRig(
      try NPTEncoder(NPTCapabilities(physicalAddressWidth: 44)), DefaultPolicy(),
      nxHugePages: true)
    let encoder = bench.mmu.encoder
    _ = bench.access(.read, page: 3)
    #expect(try #require(bench.entry(page: 3)).spte.rawValue >> 63 == 1)
    let fetched = bench.access(.fetch, page: 3)
    #expect(fetched.value != nil && fetched.exits[.nestedPageFault] == 1)
    let small = try #require(bench.entry(page: 3))
    #expect(small.level == .pageTable && encoder.permits(.fetch, small.spte))
    #expect(bench.mmu.audit() == [])
  }
}
