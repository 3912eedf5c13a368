import GuestImage
import Inspection
import Paging
import Testing
import X86

@Suite("Reverse map")
struct ReverseMapTests {
  private func uses(_ targets: [UInt64], _ space: ImageAddressSpace) -> [FrameUse] {
    var uses: [FrameUse] = []
    var budget = VisitBudget()
    let isComplete = ReverseMap.uses(of: targets.map { GPA($0) }, in: space, &budget) {
      uses.append($0)
    }
    #expect(isComplete)
    return uses
  }

  @Test("every mapping of an address is told, in small and large pages, with the offset")
  func allMappings() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 3, 0x8005)
    tables.set(0x3000, 5, 0x83)
    let found = uses([0x8123], try tables.space(cr3: 0x1000))
    #expect(found.map(\.gva) == [GVA(0x3123), GVA(0xA0_8123)])
    #expect(found.map(\.size) == [.size4KiB, .size2MiB])
    #expect(found.map(\.permissions.description) == ["ur-x", "-rwx"])
    #expect(found.allSatisfy { $0.role == .page && $0.root == GPA(0x1000) })
  }

  @Test("a page table is told as a table, and a frame that nobody maps is not told")
  func tables() throws {
    let space = try RawTables.withPath().space(cr3: 0x1000)
    let found = uses([0x4010, 0x9000], space)
    #expect(found.map(\.role) == [.table])
    #expect(found.first?.level == .pageTable)
    #expect(found.first?.gva == GVA(0))
  }

  @Test("the reverse map agrees with a walk of every page that is listed")
  func agreesWithMap() throws {
    var tables = RawTables.withPath()
    for index in 0..<64 {
      tables.set(0x4000, index * 3, UInt64(index % 7 + 8) << 12 | UInt64(index & 6) | 1)
    }
    let space = try tables.space(cr3: 0x1000)
    let pages = try AddressSpaceMap<MappedPage>(of: space).elements
    #expect(pages.count == 64)
    for frame in 8..<15 as Range<UInt64> {
      let expected = pages.filter { $0.gpa.frame.rawValue == frame }.map(\.start)
      #expect(uses([frame << 12], space).map(\.gva) == expected)
    }
  }
}
