import Paging
import TestSupport
import Testing
import X86EPT

@Suite("SPTE layouts")
struct LayoutTests {
  /// Hardware that uses no entry at all.
  private struct Nothing: EntryLegality {
    func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool { false }
  }

  private static func compose(
    _ fields: [SPTEField], nonPresent: UInt64 = 0, frozen: UInt64 = 0x5A0
  ) -> LayoutError? {
    layoutError { () throws(LayoutError) in
      try SPTELayout(
        name: "test", fields: fields, nonPresent: nonPresent, frozen: frozen,
        physicalAddressWidth: 46, mmio: nil, legality: Nothing())
    }
  }

  private static func field(
    _ role: SPTEField.Role, _ bits: ClosedRange<Int>, in forms: SPTEField.Forms = .present,
    _ name: String = "one"
  ) -> SPTEField {
    SPTEField(role, in: forms, BitField(name, bits, "a test's field", source: "software"))
  }

  @Test("E17 fields of one form are disjoint and every one has a meaning and a source")
  func disjoint() throws {
    for width in 32...52 {
      for isOn in [true, false] {
        let layout = try EPTEncoder(
          EPTCapabilities(physicalAddressWidth: width, accessedDirty: isOn)
        ).layout
        for form in [SPTEField.Forms.leaf, .table, .mmio] {
          var seen: UInt64 = 0
          for one in layout.fields where one.forms.contains(form) {
            #expect(seen & one.field.mask == 0, "\(one.field.name)")
            #expect(one.field.mask != 0)
            seen |= one.field.mask
          }
        }
        for one in layout.fields {
          #expect(!one.field.meaning.isEmpty && !one.field.source.isEmpty)
          #expect(one.field.source != "software" || !one.field.whyFree.isEmpty)
          #expect(layout.field(one.role) == one.field)
        }
        #expect(layout.field(.accessed) == nil || isOn)
      }
    }
  }

  @Test("E17 an entry taken apart into fields and put together again is the same")
  func roundTrip() throws {
    var random = SeededGenerator(seed: 17)
    let encoder = try EPTEncoder(.width(46))
    for _ in 0..<2000 {
      let request = LeafRequest.random(&random)
      let leaf = encoder.leaf(request).rawValue
      var rebuilt: UInt64 = 0
      for one in encoder.layout.fields where one.forms.contains(.leaf) {
        rebuilt |= one.field.value(in: leaf) << UInt64(one.field.bits.lowerBound)
      }
      #expect(rebuilt == leaf)
      #expect(
        encoder.layout.field(.memoryType)?.value(in: leaf) == UInt64(request.memoryType.rawValue))
    }
  }

  @Test("E17 overlaps, double roles and bits outside an entry are refused by name")
  func refusals() throws {
    let one = Self.field(.readable, 0...3)
    let overlap = try #require(Self.compose([one, Self.field(.writable, 3...4, "two")]))
    #expect(overlap.bits == 8)
    #expect(overlap.owner == "two")
    #expect(overlap.rule.contains("one"))
    #expect(Self.compose([one, Self.field(.writable, 3...4, in: .mmio, "two")]) == nil)
    let double = try #require(Self.compose([one, Self.field(.readable, 8...8, "two")]))
    #expect(double.rule.contains("readable"))
    for bits in [60...64, -1...3, 64...64, -9 ... -8] {
      #expect(Self.compose([Self.field(.dirty, bits, "far")])?.owner == "far")
    }
  }

  @Test("E9 markers that look present, or are one another, are refused")
  func markers() throws {
    let fields = [
      Self.field(.readable, 0...0), Self.field(.mmuPresent, 11...11),
      Self.field(.address, 12...45), Self.field(.savedReadable, 54...54, in: .leaf),
    ]
    #expect(Self.compose(fields) == nil)
    for bit in [0, 11, 12, 45, 54] as [UInt64] {
      #expect(Self.compose(fields, nonPresent: 1 << bit)?.bits == 1 << bit)
      #expect(Self.compose(fields, frozen: 0x5A0 | 1 << bit)?.bits == 1 << bit)
    }
    #expect(Self.compose(fields, frozen: 0) != nil)
  }

  @Test("bits are described as the manual writes them")
  func descriptions() {
    #expect(BitField("a", 11...11, "", source: "").bitsDescription == "11")
    #expect(BitField("a", 3...10, "", source: "").bitsDescription == "10:3")
    #expect(BitField("a", 0...63, "", source: "").mask == .max)
    #expect(BitField("a", 3...10, "", source: "").value(in: 0x7FF) == 0xFF)
    let error = LayoutError(layout: "ept", rule: "a rule", bits: 0x805, owner: "GFN")
    #expect(error.description == "ept: a rule; bits 0, 2, 11 (GFN)")
  }
}
