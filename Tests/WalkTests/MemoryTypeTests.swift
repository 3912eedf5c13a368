import Paging
import Testing
import X86

@Suite("Memory types")
struct MemoryTypeTests {
  /// The manual's table: for each MTRR type the result of PAT's UC, UC-, WC, WT, WB, WP.
  private static let table: [(range: MemoryType, results: [MemoryType])] = [
    (
      .uncacheable,
      [.uncacheable, .uncacheable, .writeCombining, .uncacheable, .uncacheable, .uncacheable]
    ),
    (
      .writeCombining,
      [
        .uncacheable, .writeCombining, .writeCombining, .uncacheable, .writeCombining, .uncacheable,
      ]
    ),
    (
      .writeThrough,
      [
        .uncacheable, .uncacheable, .writeCombining, .writeThrough, .writeThrough, .writeProtected,
      ]
    ),
    (
      .writeBack,
      [.uncacheable, .uncacheable, .writeCombining, .writeThrough, .writeBack, .writeProtected]
    ),
    (
      .writeProtected,
      [
        .uncacheable, .writeCombining, .writeCombining, .writeThrough, .writeProtected,
        .writeProtected,
      ]
    ),
  ]
  private static let attributes: [PageAttribute] = [
    .type(.uncacheable), .uncacheableMinus, .type(.writeCombining), .type(.writeThrough),
    .type(.writeBack), .type(.writeProtected),
  ]

  @Test("W12 PAT and MTRR combine as the table of effective page-level memory types says")
  func combinations() {
    for row in Self.table {
      for (attribute, result) in zip(Self.attributes, row.results) {
        #expect(attribute.combined(withRange: row.range) == result, "\(attribute) \(row.range)")
      }
    }
  }

  @Test("W12 PAT, PCD and PWT choose the entry, PAT at bit 7 of a small leaf and 12 of a large one")
  func indices() {
    #expect(PageAttributeTable.index(ofLeaf: 1 << 7 | 1 << 3, at: .pageTable) == 5)
    #expect(PageAttributeTable.index(ofLeaf: 1 << 7 | 1 << 4, at: .directory) == 2)
    #expect(PageAttributeTable.index(ofLeaf: 1 << 12 | 3 << 3, at: .directoryPointer) == 7)
    let reset = PageAttributeTable.afterReset
    #expect(
      (0..<8).map { reset[$0]?.description } == [
        "WB", "WT", "UC-", "UC", "WB", "WT", "UC-", "UC",
      ])
    #expect(reset.isValid)
    #expect(!PageAttributeTable(rawValue: 2).isValid)
  }

  @Test("W12 E13 an EPT leaf stands for the MTRRs, or alone where it ignores PAT; CR0.CD wins")
  func secondLevel() {
    func type(_ leaf: UInt64?, _ range: EffectiveMemoryType.Range, disabled: Bool = false)
      -> MemoryType
    {
      EffectiveMemoryType(leaf: leaf, at: .pageTable, range: range, cacheDisable: disabled).type
    }
    #expect(type(0b11000, .ept(.writeBack, ignoresPAT: false)) == .uncacheable)
    #expect(type(0b11000, .ept(.writeBack, ignoresPAT: true)) == .writeBack)
    #expect(type(0b01000, .mtrr(.writeBack)) == .writeThrough)
    #expect(type(nil, .ept(.writeThrough, ignoresPAT: false)) == .writeThrough)
    #expect(type(0, .ept(.writeBack, ignoresPAT: true), disabled: true) == .uncacheable)
  }

  @Test("W12 outside every MTRR the default counts, and where they overlap UC and WT win")
  func ranges() throws {
    func range(_ base: UInt64, _ size: UInt64, _ type: MemoryType) throws -> MemoryTypeRanges.Range
    {
      try #require(MemoryTypeRanges.Range(base: GPA(base), size: size, type: type))
    }
    let ranges = MemoryTypeRanges(
      defaultType: .writeProtected,
      ranges: [
        try range(0, 0x10000, .writeBack), try range(0x8000, 0x1000, .writeThrough),
        try range(0x8800, 0x100, .uncacheable), try range(0x9000, 0x1000, .writeCombining),
        try range(~0xFFF, 0x1000, .uncacheable),
      ])
    let expected: [(UInt64, MemoryType)] = [
      (0, .writeBack), (0x7FFF, .writeBack), (0x8000, .writeThrough), (0x8800, .uncacheable),
      (0x8900, .writeThrough), (0x9000, .uncacheable), (0xA000, .writeBack),
      (0x10000, .writeProtected), (~0x1000, .writeProtected), (~0, .uncacheable),
    ]
    for (address, type) in expected { #expect(ranges.type(of: GPA(address)) == type, "\(address)") }
    #expect(MemoryTypeRanges.Range(base: GPA(0), size: 0, type: .writeBack) == nil)
    #expect(MemoryTypeRanges.Range(base: GPA(~0), size: 2, type: .writeBack) == nil)
  }
}
