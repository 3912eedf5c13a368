import GuestImage
import Inspection
import Paging
import Testing
import X86

@Suite("Virtual view")
struct VirtualViewTests {
  private func matches(
    _ text: String, _ space: ImageAddressSpace, userOnly: Bool = false
  ) throws -> [GVA] {
    var found: [GVA] = []
    let end = VirtualSearch(for: Array(text.utf8), userOnly: userOnly).run(
      try AddressSpaceMap<MappedPage>(of: space).elements, in: space.image
    ) { match in
      found.append(match.gva)
      return true
    }
    #expect(end == .finished)
    return found
  }

  @Test("a match may cross pages that follow each other in virtual memory alone")
  func matchesCrossPages() throws {
    var tables = RawTables.withPath()
    // VA 0x1000 is frame 9 and VA 0x2000 frame 8; VA 0x4000 is frame 9 without a neighbour.
    tables.set(0x4000, 1, 0x9007)
    tables.set(0x4000, 2, 0x8003)
    tables.set(0x4000, 4, 0x9007)
    tables.put("need", at: 0x9FFC)
    tables.put("le need", at: 0x8000)
    let space = try tables.space(cr3: 0x1000)
    #expect(try matches("needle", space) == [GVA(0x1FFC)])
    #expect(try matches("need", space) == [GVA(0x1FFC), GVA(0x2003), GVA(0x4FFC)])
    #expect(try matches("need", space, userOnly: true) == [GVA(0x1FFC), GVA(0x4FFC)])
    // Frame 9 follows frame 8 in physical memory, which is no neighbourhood here.
    tables.put("nee", at: 0x8FFD)
    tables.put("dle", at: 0x9000)
    #expect(try matches("needle", try tables.space(cr3: 0x1000)) == [GVA(0x1FFC)])
  }

  @Test("overlapping matches are all found, and a pattern longer than a page too")
  func overlapsAndLongPatterns() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 1, 0x8007)
    tables.set(0x4000, 2, 0x9007)
    tables.set(0x4000, 3, 0xA007)
    tables.put("aaaa", at: 0x8FFE)
    let space = try tables.space(cr3: 0x1000)
    #expect(try matches("aaa", space) == [GVA(0x1FFE), GVA(0x1FFF)])
    let long = String(repeating: "x", count: 0x1800)
    tables.put(long, at: 0x8800)
    #expect(try matches(long, try tables.space(cr3: 0x1000)) == [GVA(0x1800)])
  }

  @Test("W14 a hole is named: not mapped, its table missing, or its page missing")
  func holesAreNamed() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 1, 0x8007)
    tables.set(0x4000, 2, 0xFFF_F007)
    tables.set(0x3000, 1, 0xEEE_E007)
    let space = try tables.space(cr3: 0x1000)
    #expect(space.firstHole(from: GVA(0x1800), count: 0x800) == nil)
    #expect(
      space.firstHole(from: GVA(0x1800), count: 0x801)
        == VirtualHole(gva: GVA(0x2000), reason: .pageMissing(GPA(0xFFF_F000))))
    #expect(
      space.firstHole(from: GVA(0x3010), count: 1)
        == VirtualHole(gva: GVA(0x3010), reason: .unmapped(.notPresent, .pageTable)))
    #expect(
      space.firstHole(from: GVA(0x20_0000), count: 1)
        == VirtualHole(
          gva: GVA(0x20_0000), reason: .tableMissing(entry: GPA(0xEEE_E000), .pageTable)))
  }

  @Test("pieces cover a range once and in order, whatever its pages are")
  func piecesCover() throws {
    var tables = RawTables.withPath()
    tables.set(0x4000, 1, 0x8007)
    tables.set(0x4000, 3, 0x9007)
    let space = try tables.space(cr3: 0x1000)
    var next = GVA(0xF80)
    space.forEachPiece(from: next, count: 0x3100, largest: 0x700) { piece in
      #expect(piece.gva == next && piece.count > 0 && piece.count <= 0x1000)
      next = next.wrappingAdd(piece.count)
    }
    #expect(next == GVA(0x4080))
  }
}
