import GuestImage
import Inspection
import Paging
import Testing
import X86

@Suite("Image audit")
struct AuditTests {
  private func findings(
    _ audit: ImageAudit, _ kind: AuditFinding.Kind
  ) -> [AuditFinding] { audit.findings.filter { $0.kind == kind } }

  @Test("sound tables have no finding, and every table is counted once a level")
  func soundTables() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 1, 0x8005)
    tables.set(0x4000, 2, 0x9007 | RawTables.executeDisable)
    let audit = ImageAudit(of: [try tables.space(cr3: 0x1000)])
    #expect(audit.findings.isEmpty && !audit.isExhausted)
    #expect(audit.pages == 2)
    #expect(audit.tablesByLevel == [Level(1): 1, Level(2): 1, Level(3): 1, Level(4): 1])
  }

  @Test("writable and executable neighbours are one finding, a gap makes two")
  func writableExecutable() throws {
    var tables = RawTables.withPath()
    for index in [1, 2, 5] { tables.set(0x4000, index, UInt64(8 + index) << 12 | 3) }
    let found = findings(ImageAudit(of: [try tables.space(cr3: 0x1000)]), .writableExecutable)
    #expect(found.map(\.gva) == [GVA(0x1000), GVA(0x5000)])
    #expect(found.map(\.size) == [0x2000, 0x1000])
    #expect(found.map(\.permissions?.description) == ["-rwx", "-rwx"])
  }

  @Test("a user page in the upper half is found, one in the lower is not")
  func userInKernelHalf() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 1, 0x8005)
    tables.set(0x1000, 256, 0x2007)
    let found = findings(ImageAudit(of: [try tables.space(cr3: 0x1000)]), .userInKernel)
    #expect(found.map(\.gva) == [GVA(0xFFFF_8000_0000_1000)])
  }

  @Test("W4 an entry with reserved bits is named with the bits")
  func reservedBits() throws {
    var tables = RawTables.withPath()
    tables.set(0x3000, 1, 0x20_6083)
    let found = findings(ImageAudit(of: [try tables.space(cr3: 0x1000)]), .reservedBits)
    #expect(found.map(\.gpa) == [GPA(0x3008)])
    #expect(found.first?.words == "PDE has bits 0x6000 set, which must be 0")
    #expect(found.first?.size == 0x20_0000)
  }

  @Test("a table that maps itself is found once, and does not keep the visit busy")
  func selfMapping() throws {
    var tables = RawTables.withPath()
    tables.set(0x1000, 510, 0x1003)
    let audit = ImageAudit(
      of: [try tables.space(cr3: 0x1000)], budget: VisitBudget(tables: 100, pages: 1000))
    let found = findings(audit, .selfMapping)
    #expect(found.map(\.gpa) == [GPA(0x1000 + 510 * 8)])
    #expect(found.map(\.gva) == [GVA(0xFFFF_FF00_0000_0000)])
    #expect(!audit.isExhausted)
  }

  @Test("W14 a missing table is one finding with all that it hides, wherever it is linked")
  func missingTable() throws {
    var tables = RawTables.withPath()
    tables.set(0x3000, 3, 0x7F_F007)
    tables.set(0x3000, 9, 0x7F_F007)
    tables.set(0x2000, 7, 0x7E_E007)
    let found = findings(ImageAudit(of: [try tables.space(cr3: 0x1000)]), .missingTable)
    #expect(found.map(\.gpa) == [GPA(0x7F_F000), GPA(0x7E_E000)])
    #expect(found.map(\.size) == [0x40_0000, 0x4000_0000])
    #expect(found.map(\.count) == [2, 1])
    #expect(found.first?.gva == GVA(0x60_0000))
  }

  @Test("a frame that two roots map for user mode with other permissions is found")
  func sharedFrame() throws {
    var tables = RawTables.withPath()
    tables.set(0x5000, 0, 0x6007)
    tables.set(0x6000, 0, 0x7007)
    tables.set(0x7000, 0, 0x8007)
    tables.set(0x4000, 1, 0xA005)
    tables.set(0x4000, 2, 0xB005)
    tables.set(0x8000, 4, 0xA007 | RawTables.executeDisable)
    tables.set(0x8000, 5, 0xB005)
    let first = try tables.space(cr3: 0x1000)
    let audit = ImageAudit(of: [first, try first.rooted(at: 0x5000)])
    let found = findings(audit, .sharedDifferently)
    #expect(found.map(\.gpa) == [GPA(0xA000)])
    #expect(found.first?.words == "root 0x1000 maps the frame at 0x1000 with ur-x")
    #expect(found.first?.gva == GVA(0x4000))
  }

  @Test("hostile tables end with the budget, and that is said")
  func hostileTables() throws {
    var tables = RawTables(pages: 40)
    // Each table points to many others, so that the paths are beyond count.
    for table in 1..<40 {
      for index in 0..<512 {
        tables.set(UInt64(table) << 12, index, UInt64(1 + (table * 7 + index) % 39) << 12 | 7)
      }
    }
    let audit = ImageAudit(
      of: [try tables.space(cr3: 0x1000)], budget: VisitBudget(tables: 2000, pages: 100_000))
    #expect(audit.isExhausted)
    #expect(audit.findings.count <= AuditFinding.Kind.allCases.count * ImageAudit.mostListed)
  }

  @Test("pages are rated as tables of the levels that they could be")
  func ratings() throws {
    var tables = RawTables.withPath()
    for index in 0..<20 { tables.set(0x4000, index, UInt64(5 + index % 8) << 12 | 7) }
    let image = try tables.space(cr3: 0x1000).image
    let ratings = PageRating.all(in: image, wideEntries: true, highest: Level(4))
    let root = try #require(ratings.first { $0.gpa == GPA(0x1000) })
    #expect(root.levels.first?.level == Level(4))
    #expect(root.levels.first?.mappings == 20)
    #expect(!ratings.contains { $0.gpa == GPA(0x9000) })
  }
}
