import Paging
import TestSupport
import Testing
import X86EPT

@Suite("MMIO entries")
struct MMIOEntryTests {
  @Test("E6 the generation's bits are 10:3 and 62:52")
  func generationBits() throws {
    let encoder = try EPTEncoder(.width(46))
    func raw(_ generation: UInt64) -> UInt64? {
      encoder.mmio(gfn: GFN(0), permissions: .all, generation: generation)?.rawValue
    }
    #expect(raw(0) == 6)
    #expect(raw(0xFF) == 6 | 0x7F8)
    #expect(raw(0x100) == 6 | 1 << 52)
    #expect(raw(0x7FFFF) == 6 | 0x7F8 | 0x7FF << 52)
    #expect(raw(0x80000) == 6, "nineteen bits are kept")
    #expect(raw(1 << 63 | 5) == raw(5), "the update flag is not part of it")
  }

  @Test("E6 every generation of 19 bits comes back")
  func generations() throws {
    let encoder = try EPTEncoder(.width(46))
    let mmio = try #require(encoder.layout.mmio)
    #expect(mmio.generationCount == 1 << 19)
    var wrong = 0
    for generation in 0..<(1 << 19) as Range<UInt64> {
      guard let spte = mmio.encode(gfn: GFN(0x3_FFFF_FFFF), access: 0, generation: generation)
      else {
        wrong += 1
        continue
      }
      if mmio.generation(of: spte) != generation || mmio.gfn(of: spte) != GFN(0x3_FFFF_FFFF) {
        wrong += 1
      }
    }
    #expect(wrong == 0)
    #expect(mmio.truncated(1 << 19 | 7) == 7)
  }

  @Test("E6 access bits are kept under the access mask alone")
  func access() throws {
    let encoder = try EPTEncoder(
      .width(46), mmio: MMIOMask(value: 1 << 51, mask: 1 << 51, accessMask: 6))
    let mmio = try #require(encoder.layout.mmio)
    for access in 0..<16 as Range<UInt64> {
      let spte = try #require(mmio.encode(gfn: GFN(9), access: access, generation: 77))
      #expect(mmio.access(of: spte) == access & 6)
      #expect(mmio.gfn(of: spte) == GFN(9))
      #expect(mmio.generation(of: spte) == 77)
    }
  }

  @Test("E8 every GFN below the width comes back exact, larger ones are refused")
  func relocation() throws {
    var random = SeededGenerator(seed: 8)
    for (width, cacheable) in [
      (36, 36), (39, 44), (44, 44), (46, 46), (52, 46), (52, 40), (46, 30),
    ] {
      let encoder = try EPTEncoder(
        .width(width), relocation: .l1tf(cacheableWidth: cacheable))
      let mmio = try #require(encoder.layout.mmio)
      let limit = (1 as UInt64) << UInt64(min(width, cacheable) - 12)
      let forced = UInt64(0x1F) << UInt64(cacheable - 5)
      var samples = (0..<2000).map { _ in GFN(random.next() % limit) }
      samples += [GFN(0), GFN(limit - 1), GFN(limit / 2), GFN(limit >> 5)]
      for gfn in samples {
        let generation = random.next() & 0x7FFFF
        let spte = try #require(mmio.encode(gfn: gfn, access: 0, generation: generation))
        #expect(spte.rawValue & forced == forced)
        #expect(mmio.matches(spte))
        #expect(mmio.gfn(of: spte) == gfn)
        #expect(mmio.generation(of: spte) == generation)
      }
      for gfn in [limit, limit + 1, limit << 3, 1 << 40, 1 << 51, 1 << 52, .max] {
        #expect(mmio.encode(gfn: GFN(gfn), access: 0, generation: 1) == nil, "\(gfn)")
      }
      #expect(encoder.layout.frozen.rawValue & forced == 0)
      #expect(encoder.layout.nonPresent.rawValue & forced == 0)
    }
  }

  @Test("E8 off from a cacheable width of 47")
  func relocationOff() throws {
    for cacheable in [47, 48, 52] {
      let encoder = try EPTEncoder(.width(52), relocation: .l1tf(cacheableWidth: cacheable))
      let spte = try #require(
        encoder.mmio(gfn: GFN((1 << 40) - 1), permissions: .all, generation: 0))
      #expect(encoder.layout.mmio?.gfn(of: spte) == GFN((1 << 40) - 1))
      #expect(encoder.mmio(gfn: GFN(0), permissions: .all, generation: 0)?.rawValue == 6)
    }
  }

  @Test("E6 an MMIO entry walked by hardware is a misconfiguration, whatever it holds")
  func walked() throws {
    var random = SeededGenerator(seed: 66)
    let encoder = try EPTEncoder(.width(46))
    for _ in 0..<500 {
      let spte = try #require(
        encoder.mmio(
          gfn: GFN(random.next() >> 30), permissions: .all, generation: random.next()))
      let exit = EPTPath(.width(46), entry: spte.rawValue, level: 1).exit(
        random.pick([.read, .write, .fetch]))
      #expect(exit?.isMalformed == true)
    }
  }

  @Test("E7 without a mask nothing is cached and nothing matches")
  func off() throws {
    let encoder = try EPTEncoder(.width(46), mmio: nil)
    #expect(encoder.mmio(gfn: GFN(1), permissions: .all, generation: 1) == nil)
    #expect(!encoder.isMMIO(SPTE(6)))
  }
}
