import MMU
import Paging
import Testing

@testable import MMUBench

@Suite("Faults and locks")
struct FaultLockTests {
  @Test("T1 a fault on tables that are present takes no lock that vCPUs share", arguments: [1, 2])
  func presentTables(threads: Int) throws {
    let rig = try FaultRig()
    /// The locks of one run, in which vCPUs come and go.
    func locks(_ body: () -> Void) -> UInt64 {
      let before = rig.mmu.lockUses
      body()
      return rig.mmu.lockUses - before
    }
    let pages = UInt64(FaultRig.pageCount)
    // Every page is mapped: the walk succeeds, and nothing is left to handle.
    let withoutFaults = locks { #expect(rig.run(threads: threads).failures == pages) }
    rig.dropLeaves()
    let withFaults = locks { #expect(rig.run(threads: threads).failures == 0) }
    // At its first fault a vCPU takes the memslots of the moment.
    #expect(withFaults == withoutFaults + UInt64(threads))
    #expect(withoutFaults > 0, "the counter sees what vCPUs take to come and go")
    // A table that is missing costs some.
    rig.mmu.zap(GFN(0)..<GFN(pages))
    let withTables = locks { #expect(rig.run(threads: threads).failures == 0) }
    #expect(withTables > withFaults)
  }
}
