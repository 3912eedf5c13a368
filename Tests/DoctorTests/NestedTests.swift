import Explain
import GuestImage
import Inspection
import Paging
import TestSupport
import Testing
import X86
import X86EPT

@Suite("Guests inside guests")
struct NestedTests {
  /// EPT at 0x8000 to 0xB000 that maps GPA 0x0000…0x5fff to HPA 0x10000 on; the inner guest's tables
  /// lie at GPA 0x1000 to 0x4000.
  private func tables() -> RawTables {
    var tables = RawTables(pages: 32)
    tables.set(0x8000, 0, 0x9007)
    tables.set(0x9000, 0, 0xA007)
    tables.set(0xA000, 0, 0xB007)
    for page in 0..<6 { tables.set(0xB000, page, UInt64(0x10 + page) << 12 | 0x37) }
    tables.set(0x11000, 0, 0x2007)
    tables.set(0x12000, 0, 0x3007)
    tables.set(0x13000, 0, 0x4007)
    tables.set(0x14000, 3, 0x5007)
    return tables
  }

  private func space(
    _ tables: RawTables, eptp: UInt64 = 0x8000 | 6 | 3 << 3
  ) throws -> ImageAddressSpace {
    let outer = try GuestImage(copying: tables.bytes, as: .raw(base: GPA(0)))
    let image = try GuestImage(
      inside: outer, behind: SecondLevel(eptp: eptp, physicalAddressWidth: 52))
    var given = RegisterValues()
    given.cr3 = 0x1000
    given.mode = .long4
    return try ImageAddressSpace(image, ImageRegisters(of: image, given: given))
  }

  private func explain(_ space: ImageAddressSpace, _ gva: UInt64) throws -> Explanation {
    let memory = try #require(space.image.inner).walked(for: GVA(gva))
    return Explainer(memory) { $0.description }.explain(
      AccessSituation(.read, to: GVA(gva), space.registers, space.features))
  }

  @Test("W17 the inner guest's tables and its page are found behind EPT")
  func bothLevels() throws {
    let space = try space(tables())
    let told = try explain(space, 0x3123)
    guard case .granted(let translation) = told.outcome else {
      Issue.record("\(told.outcome)")
      return
    }
    #expect(translation.address == GPA(0x5123))
    #expect(told.entries.map(\.gpa) == [GPA(0x1000), GPA(0x2000), GPA(0x3000), GPA(0x4018)])
    let outcome = space.translate(GVA(0x3123), Probe())
    let page = try #require(space.secondLevel(of: outcome, at: GVA(0x3123), for: .read)).get()
    #expect(page.address == HPA(0x15123))
  }

  @Test("the segments of an inner guest are what EPT maps, neighbours joined")
  func segments() throws {
    let image = try space(tables()).image
    #expect(image.segments.map(\.gpa) == [GPA(0)])
    #expect(image.segments.map(\.size) == [0x6000])
    #expect(image.byte(at: GPA(0x1001)) == 0x20)
    #expect(!image.holds(GPA(0x6000)))
  }

  @Test("W14 W17 a table that EPT does not map is told as a violation, not as a hole in the file")
  func violation() throws {
    var tables = tables()
    tables.set(0xB000, 4, 0)
    let refused = try explain(try space(tables), 0x3123)
    let words = try #require(refused.decidingRule?.words)
    let told = "the page that holds the PTE (GPA 0x4018) is refused by EPT: a violation"
    #expect(words.hasPrefix(told))
    tables.set(0xA000, 0, 0xFFF_F007)
    let hole = try explain(try space(tables), 0x3123)
    #expect(hole.decidingRule?.words.contains("is not known: a table of the second level") == true)
  }

  @Test("E13 an EPTP with which VM entry would fail is refused")
  func badPointer() {
    for eptp: UInt64 in [0x8000 | 3 << 3 | 1, 0x8006, 0x8000 | 6 | 3 << 3 | 1 << 8] {
      #expect(throws: ImageError.self) { try space(tables(), eptp: eptp) }
    }
  }

  @Test("W17 an inner guest's memory is what walks of EPT read, whatever the tables")
  func viewAgreesWithWalks() throws {
    var generator = SeededGenerator(seed: 17)
    var agreed = 0
    for _ in 0..<20 {
      var tables = RawTables(pages: 48)
      // Four levels of tables, some malformed or pointing anywhere, and pages that are told apart.
      for page in UInt64(8)..<12 {
        for index in 0..<6 {
          let next = page == 11 ? UInt64.random(in: 16..<52, using: &generator) : page + 1
          let target = Int.random(in: 0..<8, using: &generator) == 0 ? 60 : next
          let flags: UInt64 = page == 11 ? 0x37 : 7
          let odd: UInt64 = Int.random(in: 0..<10, using: &generator) == 0 ? 0x78 : 0
          tables.set(page << 12, index, target << 12 | flags ^ odd)
        }
      }
      for page in UInt64(16)..<48 { tables.set(page << 12, 0, page) }
      let space = try space(tables)
      let inner = try #require(space.image.inner)
      for _ in 0..<200 {
        var gpa: UInt64 = 0
        for shift in [12, 21, 30, 39] as [UInt64] {
          gpa |= UInt64.random(in: 0..<7, using: &generator) << shift
        }
        let walked = try? inner.load(GPA(gpa), as: UInt64.self).get()
        let seen = try? space.image.load(GPA(gpa), as: UInt64.self).get()
        #expect(walked == seen, "GPA \(gpa)")
        if walked != nil { agreed += 1 }
      }
    }
    #expect(agreed > 100)
  }
}
