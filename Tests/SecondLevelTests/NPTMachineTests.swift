import MMU
import Machine
import MachineSupport
import Paging
import ParallelProperty
import Testing
import X86NPT

@Suite("A machine behind NPT")
struct NPTMachineTests {
  static func rig(
    _ form: NPTCapabilities.Form, width: Int = 44, backing: PageSize = .size4KiB
  ) throws -> TDPRig<NPTEncoder> {
    try TDPRig(
      NPTEncoder(NPTCapabilities(physicalAddressWidth: width, form: form)), backing: backing)
  }

  @Test("E12 reads and writes arrive behind every form", arguments: NPTCapabilities.Form.allCases)
  func accessesArrive(form: NPTCapabilities.Form) throws {
    for backing in [PageSize.size4KiB, .size2MiB] {
      let rig = try Self.rig(form, backing: backing)
      rig.tables.map(0x40_0000, to: 0x5000)
      let write = rig.access(.write, 0x40_0010, value: 0xABCD)
      #expect(write.value == 0xABCD)
      #expect(write.gpa == GPA(0x5010))
      #expect(write.hpa == HPA(16 << 20 | 0x5010))
      #expect(write.exits[.nestedPageFault] == write.exits.total)
      // The guest's four tables lie in four pages of one 2 MiB page; the data in another.
      #expect(write.exits.total == (backing == .size4KiB ? 5 : 1))
      let again = rig.access(.read, 0x40_0010)
      #expect(again.value == 0xABCD && again.isTLBHit && again.exits.total == 0)
      let found = try #require(rig.entry(0x5000))
      #expect(found.level == (backing == .size4KiB ? .pageTable : .directory))
      #expect(found.spte.rawValue & 0x67 == 0x67, "P, W, U, A and D")
    }
  }

  @Test("E12 F2 the second MMIO access is answered by the entry")
  func mmio() throws {
    for form in [NPTCapabilities.Form.long4, .long5] {
      let rig = try Self.rig(form)
      rig.tables.map(0x40_0000, to: 0xFEE0_0000)
      rig.tables.map(0x40_1000, to: 0xFED0_0000)
      _ = rig.access(.read, 0x40_0000)
      // Another frame in between, so that the vCPU's last MMIO frame does not answer.
      _ = rig.access(.read, 0x40_1000)
      let searched = rig.machine.counters.mmioSearched
      let second = rig.access(.read, 0x40_0000)
      #expect(second.gpa == GPA(0xFEE0_0000) && second.mmio != nil)
      #expect(second.exits[.nestedPageFault] == 1)
      #expect(rig.machine.counters.mmioSearched == searched && searched == 2)
      #expect(rig.machine.counters.mmioCached == 1)
    }
  }

  @Test("E7 at 52 bits no MMIO is cached, and every access is searched for")
  func mmioOff() throws {
    let rig = try Self.rig(.long4, width: 52)
    for page in 0..<2 as Range<UInt64> {
      rig.tables.map(0x40_0000 + page << 12, to: 0xFEE0_0000 + page << 12)
    }
    for _ in 0..<3 {
      for page in 0..<2 as Range<UInt64> {
        #expect(rig.access(.read, 0x40_0000 + page << 12).mmio != nil)
      }
    }
    #expect(rig.machine.counters.mmioSearched == 6)
  }

  @Test("E12 behind the PAE form an address above 4 GiB is never mapped")
  func paeWidth() throws {
    let rig = try Self.rig(.pae)
    let high = Memslot(id: 9, base: GFN(0x10_0000), frameCount: 16, host: HPA(40 << 20))
    try rig.memory.update { table throws(MemslotError) in try table.adding(high) }
    rig.tables.map(0x40_0000, to: 0x1_0000_0000)
    let report = rig.access(.read, 0x40_0000)
    #expect(report.mmio != nil && report.failure == nil)
  }

  @Test("E12 a fetch from a page without execution exits, with I in EXITINFO1")
  func noExecute() throws {
    let encoder = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 44))
    let leaf = encoder.leaf(
      LeafRequest(pfn: PFN(5), level: .pageTable, permissions: [.read, .write]))
    let format = encoder.format
    let fetch = format.finalAccess(.fetch, isUser: false, for: GVA(0))
    var rights = format.unrestricted
    format.narrow(&rights, by: leaf.rawValue, at: .pageTable)
    #expect(!format.permits(fetch, rights: rights, tables: rights, leaf: leaf.rawValue))
    let fault = format.fault(
      .permission, at: .pageTable, GPA(0x5000), for: fetch, rights: rights, entry: leaf.rawValue)
    #expect(fault.info.rawValue == 1 << 32 | 0x15)
  }
}
