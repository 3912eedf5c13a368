import Paging
import TestSupport
import Testing
import X86EPT

@Suite("MMIO masks")
struct MMIOMaskTests {
  static let suppressVE: UInt64 = 1 << 63
  static let standard: UInt64 = 1 << 63 | 7

  static func compose(
    _ value: UInt64, _ mask: UInt64, access: UInt64 = 0, width: Int = 46,
    executeOnly: Bool = true, relocation: MMIORelocation = .none
  ) -> LayoutError? {
    layoutError { () throws(LayoutError) in
      try EPTEncoder(
        EPTCapabilities(physicalAddressWidth: width, executeOnly: executeOnly),
        mmio: MMIOMask(value: value, mask: mask, accessMask: access), relocation: relocation)
    }
  }

  @Test("E7 the default of EPT is value 6 under RWX and bit 63, and composes at every width")
  func defaultComposes() throws {
    #expect(MMIOMask.ept == MMIOMask(value: 6, mask: Self.standard, accessMask: 0))
    for width in 32...52 { #expect(Self.compose(6, Self.standard, width: width) == nil) }
  }

  @Test("E6 other masks that hardware cannot take for a mapping are accepted")
  func alternatives() {
    #expect(Self.compose(2, Self.standard) == nil)
    #expect(Self.compose(1 << 51, 1 << 51) == nil)
    #expect(Self.compose(1 << 51 | 6, 1 << 51 | Self.standard) == nil)
    #expect(Self.compose(1 << 51 | 7, 1 << 51 | Self.standard) == nil)
    #expect(Self.compose(4, Self.standard, executeOnly: false) == nil)
    // TDX's: all clear, and bit 63 tells it from what is not present.
    #expect(Self.compose(0, Self.standard) == nil)
  }

  @Test("E6 a value that hardware maps is refused")
  func usableValue() throws {
    for value: UInt64 in [1, 3, 5, 7] {
      let error = try #require(Self.compose(value, Self.standard))
      #expect(error.rule.contains("hardware would use"))
      #expect(error.bits == value)
      #expect(error.owner == "present bits")
    }
    #expect(Self.compose(4, Self.standard)?.rule.contains("hardware would use") == true)
    // Bit 51 is reserved at M=51 and an address at M=52.
    #expect(Self.compose(1 << 51, 1 << 51, width: 51) == nil)
    let address = try #require(Self.compose(1 << 51, 1 << 51, width: 52))
    #expect(address.bits == 1 << 51)
    #expect(address.owner == "GFN")
  }

  @Test("E6 a mask that a present entry matches is refused")
  func presentMatches() throws {
    // Without R in the mask a readable, writable, executable leaf has value 6 too.
    let error = try #require(Self.compose(6, 6))
    #expect(error.rule.contains("hardware would use") || error.rule.contains("present entry"))
    #expect(Self.compose(1 << 63 | 6, 1 << 63 | 6) != nil)
    // Here no MMIO entry is usable, but every present entry matches.
    let loose = try #require(Self.compose(Self.suppressVE, Self.suppressVE))
    #expect(!loose.rule.isEmpty)
  }

  @Test("E6 value and mask keep to bits 63, 51:12 and 2:0")
  func room() throws {
    for bit in [3, 7, 8, 10, 11, 52, 56, 62] as [UInt64] {
      let error = try #require(Self.compose(6, Self.standard | 1 << bit))
      #expect(error.bits == 1 << bit)
      #expect(error.rule.contains("63, 51:12 and 2:0"))
      #expect(!error.owner.isEmpty, "bit \(bit)")
      #expect(Self.compose(6 | 1 << bit, Self.standard | 1 << bit)?.bits == 1 << bit)
    }
    #expect(Self.compose(6, Self.standard | 1 << 11)?.owner == "MMU-present")
  }

  @Test("E6 the value lies inside the mask, and the mask is not empty")
  func valueInMask() throws {
    let error = try #require(Self.compose(6 | 1 << 51, Self.standard))
    #expect(error.rule.contains("outside its mask"))
    #expect(error.bits == 1 << 51)
    #expect(Self.compose(0, 0)?.rule.contains("empty") == true)
  }

  @Test("E6 address bits of the GFN are refused, with their owner")
  func addressBits() throws {
    for bit in [12, 31, 45] as [UInt64] {
      let error = try #require(Self.compose(6, Self.standard | 1 << bit))
      #expect(error.bits == 1 << bit)
      #expect(error.owner == "GFN")
    }
    #expect(Self.compose(6, Self.standard | 1 << 46) == nil)
  }

  @Test("E6 E8 the L1TF bits and the relocated GFN bits are refused, with their owner")
  func relocatedBits() throws {
    let l1tf = MMIORelocation.l1tf(cacheableWidth: 44)
    for bit in [39, 43] as [UInt64] {
      let error = try #require(
        Self.compose(6, Self.standard | 1 << bit, width: 44, relocation: l1tf))
      #expect(error.bits == 1 << bit)
      #expect(error.owner == "L1TF address bits")
    }
    for bit in [44, 48] as [UInt64] {
      let error = try #require(
        Self.compose(6, Self.standard | 1 << bit, width: 44, relocation: l1tf))
      #expect(error.bits == 1 << bit)
      #expect(error.rule.contains("relocated"))
    }
    #expect(Self.compose(6, Self.standard | 1 << 49, width: 44, relocation: l1tf) == nil)
  }

  @Test("E6 the frozen and the non-present value must not match")
  func markers() throws {
    let frozen = try #require(Self.compose(0, 7))
    #expect(frozen.rule.contains("frozen") || frozen.rule.contains("non-present"))
    #expect(Self.compose(Self.suppressVE, Self.standard)?.rule.contains("value 0x8") == true)
  }

  @Test("E6 the access mask fits 32 bits and overlaps nothing that an MMIO entry needs")
  func accessMask() throws {
    #expect(Self.compose(1 << 51, 1 << 51, access: 6) == nil)
    let wide = try #require(Self.compose(1 << 51, 1 << 51, access: 1 << 32))
    #expect(wide.bits == 1 << 32)
    for bit in [3, 10] as [UInt64] {
      #expect(Self.compose(6, Self.standard, access: 1 << bit)?.bits == 1 << bit)
    }
    #expect(Self.compose(6, Self.standard, access: 2)?.bits == 2)
    let gfn = try #require(Self.compose(6, Self.standard, access: 1 << 12))
    #expect(gfn.bits == 1 << 12)
    #expect(gfn.owner == "GFN")
    let present = try #require(Self.compose(6, Self.standard, access: 1 << 11))
    #expect(present.bits == 1 << 11)
    #expect(present.owner == "MMU-present")
  }

  @Test("E9 the layout refuses mode-based execution and names bit 10")
  func modeBasedExecution() throws {
    var cpu = EPTCapabilities.width(46)
    cpu.modeBasedExecution = true
    let error = try #require(layoutError { () throws(LayoutError) in try EPTEncoder(cpu) })
    #expect(error.bits == 1 << 10)
    #expect(error.description.contains("bit 10"))
  }

  @Test("E6 no accepted random mask makes an entry that hardware uses or that a leaf matches")
  func randomMasks() throws {
    var random = SeededGenerator(seed: 6)
    var accepted = 0
    for _ in 0..<4000 {
      let width = 40 + random.below(13)
      let cpu = EPTCapabilities(
        physicalAddressWidth: width, executeOnly: random.flip(),
        accessedDirty: random.flip())
      let relocation: MMIORelocation =
        random.oneIn(3) ? .l1tf(cacheableWidth: 30 + random.below(20)) : .none
      let high = random.oneIn(2) ? (random.next() & random.next()) << UInt64(width) : 0
      let mask = (random.next() & 7 | high | random.next() & 1 << 63) & (1 << 63 | (1 << 52) - 1)
      let value = mask & random.next()
      guard
        let encoder = try? EPTEncoder(
          cpu, mmio: MMIOMask(value: value, mask: mask, accessMask: 0), relocation: relocation)
      else { continue }
      accepted += 1
      for _ in 0..<20 {
        let gfn = GFN(random.next() >> UInt64(12 + random.below(52)))
        if let spte = encoder.mmio(
          gfn: gfn, permissions: Permissions(rawValue: UInt8(random.below(16))),
          generation: random.next())
        {
          #expect(encoder.isMMIO(spte))
          #expect(!encoder.isPresent(spte))
          let kind = encoder.format.kind(of: spte.rawValue, at: .pageTable)
          #expect(kind == .notPresent || kind == .reserved, "\(spte) of \(value) under \(mask)")
        }
        #expect(!encoder.isMMIO(encoder.leaf(LeafRequest.random(&random))))
        #expect(!encoder.isMMIO(encoder.table(HPA(random.next()))))
      }
      #expect(!encoder.isMMIO(encoder.layout.frozen))
      #expect(!encoder.isMMIO(encoder.layout.nonPresent))
    }
    #expect(accepted > 200, "\(accepted)")
  }
}

extension LeafRequest {
  /// Any request.
  static func random(_ random: inout SeededGenerator) -> LeafRequest {
    LeafRequest(
      pfn: PFN(random.next() >> 12), level: Level(1 + random.below(3)),
      permissions: Permissions(rawValue: UInt8(random.below(16))), isHostWritable: random.flip(),
      isWriteProtected: random.flip(), isMMUWritable: random.flip(),
      memoryType: random.pick(MemoryType.allCases), ignoresPAT: random.flip(),
      isPrefetch: random.flip(), isWrite: random.flip())
  }
}
