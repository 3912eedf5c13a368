import Paging
import TestSupport
import Testing
import X86EPT

@Suite("EPT encoder")
struct EncoderTests {
  @Test("E1 E9 non-present is bit 63 and frozen adds 0x5a0; neither is present to anybody")
  func markers() throws {
    let encoder = try EPTEncoder(.width(46))
    #expect(encoder.layout.nonPresent.rawValue == 0x8000_0000_0000_0000)
    #expect(encoder.layout.frozen.rawValue == 0x8000_0000_0000_05A0)
    let mmio = try #require(encoder.mmio(gfn: GFN(5), permissions: .all, generation: 3))
    for spte in [encoder.layout.nonPresent, encoder.layout.frozen, SPTE(0), mmio] {
      #expect(!encoder.isPresent(spte))
      #expect(spte.rawValue & 1 << 11 == 0)
      #expect(encoder.format.kind(of: spte.rawValue, at: .pageTable) != .leaf)
    }
  }

  @Test("E1 E9 E13 every present entry has bits 11 and 63 and is what hardware walks")
  func presentEntries() throws {
    var random = SeededGenerator(seed: 1)
    for isOn in [true, false] {
      for executeOnly in [true, false] {
        let cpu = EPTCapabilities(
          physicalAddressWidth: 46, executeOnly: executeOnly, accessedDirty: isOn)
        let encoder = try EPTEncoder(cpu)
        for _ in 0..<2000 {
          var request = LeafRequest.random(&random)
          let frames = (1 as UInt64) << UInt64(9 * (request.level.rawValue - 1))
          request.pfn = PFN(request.pfn.rawValue % (1 << 34) / frames * frames)
          let leaf = encoder.leaf(request)
          #expect(leaf.rawValue & 0x8000_0000_0000_0800 == 0x8000_0000_0000_0800)
          let kind = encoder.format.kind(of: leaf.rawValue, at: request.level)
          #expect(kind == .leaf || (kind == .notPresent && leaf.rawValue & 7 == 0), "\(leaf)")
          #expect(encoder.pfn(of: leaf) == request.pfn)
          #expect(encoder.isLeaf(leaf, at: request.level))
          // Nothing is granted that was not asked for.
          let asked = request.permissions
          #expect(asked.contains(.read) || !encoder.permits(.read, leaf))
          #expect(asked.contains(.write) || !encoder.permits(.write, leaf))
          #expect(asked.contains(.execute) || !encoder.permits(.fetch, leaf))
          let table = encoder.table(HPA(random.next() & 0x3FFF_FFFF_F000))
          #expect(encoder.format.kind(of: table.rawValue, at: .directory) == .table)
          #expect(encoder.isPresent(table) && table.rawValue >> 63 == 1)
          #expect(!encoder.isLeaf(table, at: .directory))
        }
      }
    }
  }

  @Test("E2 the A/D kind is 0 with A/D and 1 without, in leaves and tables")
  func accessedDirtyKind() throws {
    for isOn in [true, false] {
      let encoder = try EPTEncoder(
        EPTCapabilities(physicalAddressWidth: 46, accessedDirty: isOn))
      let leaf = encoder.leaf(LeafRequest(pfn: PFN(1), level: .pageTable, permissions: .all))
      for spte in [leaf, encoder.table(HPA(4096))] {
        #expect(spte.rawValue >> 52 & 3 == (isOn ? 0 : 1))
        #expect(encoder.hasHardwareAD(spte) == isOn)
        #expect(spte.rawValue & 0x300 == (isOn ? 0x100 : 0))
      }
      let written = encoder.leaf(
        LeafRequest(pfn: PFN(1), level: .pageTable, permissions: .all, isWrite: true))
      #expect(written.rawValue & 0x300 == (isOn ? 0x300 : 0))
      let prefetched = encoder.leaf(
        LeafRequest(pfn: PFN(1), level: .pageTable, permissions: .all, isPrefetch: true))
      #expect(prefetched.rawValue & 0x300 == 0)
    }
  }

  @Test("E4 host-writable, MMU-writable and W come in the four legal combinations alone")
  func writableCombinations() throws {
    let encoder = try EPTEncoder(.width(46))
    var seen: Set<[Bool]> = []
    for bits in 0..<16 {
      let request = LeafRequest(
        pfn: PFN(1), level: .pageTable,
        permissions: bits & 1 != 0 ? .all : [.read, .execute, .user],
        isHostWritable: bits & 2 != 0, isWriteProtected: bits & 4 != 0,
        isMMUWritable: bits & 8 != 0)
      let raw = encoder.leaf(request).rawValue
      let combination = [raw >> 57 & 1 == 1, raw >> 58 & 1 == 1, raw >> 1 & 1 == 1]
      seen.insert(combination)
      #expect(combination[0] == request.isHostWritable)
      if bits == 11 { #expect(combination == [true, true, true]) }
      if bits == 15 { #expect(combination == [true, true, false]) }
    }
    #expect(
      seen == [
        [true, true, true], [true, true, false], [true, false, false], [false, false, false],
      ])
  }

  @Test("E5 a flush is needed where MMU-writable is lost, and for nothing else")
  func needsFlush() throws {
    let encoder = try EPTEncoder(.width(46))
    func leaf(_ change: (inout LeafRequest) -> Void = { _ in }) -> SPTE {
      var request = LeafRequest(
        pfn: PFN(1), level: .pageTable, permissions: .all, isWrite: true)
      change(&request)
      return encoder.leaf(request)
    }
    let full = leaf()
    #expect(encoder.needsFlush(from: full, to: leaf { $0.isMMUWritable = false }))
    #expect(encoder.needsFlush(from: full, to: leaf { $0.isHostWritable = false }))
    #expect(!encoder.needsFlush(from: full, to: leaf { $0.isWriteProtected = true }))
    #expect(!encoder.needsFlush(from: full, to: SPTE(full.rawValue & ~0x300)))
    #expect(!encoder.needsFlush(from: leaf { $0.isMMUWritable = false }, to: full))
  }

  @Test(
    "E2 kinds 0 and 2 have A and D by hardware, kind 1 has not; only kind 0 needs no write fault")
  func kinds() throws {
    let encoder = try EPTEncoder(.width(46))
    let leaf = encoder.leaf(LeafRequest(pfn: PFN(7), level: .pageTable, permissions: .all))
    for (kind, isLive) in [(0, true), (1, false), (2, true)] as [(UInt64, Bool)] {
      let spte = SPTE(leaf.rawValue & ~(3 << 52) | kind << 52)
      #expect(encoder.hasHardwareAD(spte) == isLive)
      #expect(encoder.aged(spte) != spte)
      #expect(encoder.isAccessTracked(encoder.aged(spte)) == !isLive)
      let masks = encoder.layout.masks
      #expect((spte.rawValue & masks.adKind != 0) == (kind != 0))
    }
  }

  @Test("E3 saved rights where hardware keeps A, or beside live rights, are a breach")
  func savedRights() throws {
    let live = try EPTEncoder(.width(46))
    let tracked = try EPTEncoder(
      EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false))
    let request = LeafRequest(pfn: PFN(7), level: .pageTable, permissions: .all)
    for bit in [54, 56] as [UInt64] {
      let leaf = live.leaf(request)
      #expect(live.breach(of: leaf, at: .pageTable) == nil)
      #expect(live.breach(of: SPTE(leaf.rawValue | 1 << bit), at: .pageTable) != nil)
      let other = tracked.leaf(request)
      #expect(tracked.breach(of: tracked.aged(other), at: .pageTable) == nil)
      #expect(tracked.breach(of: SPTE(other.rawValue | 1 << bit), at: .pageTable) != nil)
      #expect(tracked.breach(of: SPTE(1 << 63 | 1 << bit), at: .pageTable) != nil)
    }
  }

  @Test("E10 fetch needs X, write W, read R")
  func permits() throws {
    let encoder = try EPTEncoder(.width(46))
    for bits in 0..<8 as Range<UInt64> {
      let spte = SPTE(1 << 63 | 1 << 11 | bits)
      #expect(encoder.permits(.read, spte) == (bits & 1 != 0))
      #expect(encoder.permits(.write, spte) == (bits & 2 != 0))
      #expect(encoder.permits(.fetch, spte) == (bits & 4 != 0))
    }
  }

  @Test("E13 the leaf's bits, one by one")
  func leafBits() throws {
    let encoder = try EPTEncoder(.width(46))
    let plain = encoder.leaf(
      LeafRequest(pfn: PFN(0x1234), level: .pageTable, permissions: .all))
    #expect(plain.rawValue == 0x8600_0000_0123_4977)
    let large = encoder.leaf(
      LeafRequest(
        pfn: PFN(0x1200), level: .directory, permissions: [.read], isHostWritable: false,
        memoryType: .uncacheable, ignoresPAT: false))
    #expect(large.rawValue == 0x8000_0000_0120_0981)
    for type in MemoryType.allCases {
      let leaf = encoder.leaf(
        LeafRequest(pfn: PFN(1), level: .pageTable, permissions: .all, memoryType: type))
      #expect(leaf.rawValue >> 3 & 7 == UInt64(type.rawValue))
    }
    #expect(encoder.table(HPA(0x7000)).rawValue == 0x8000_0000_0000_7907)
  }

  @Test("E18 a child is the large leaf with its index, PS off at 4 KiB")
  func children() throws {
    let encoder = try EPTEncoder(.width(46))
    let huge = encoder.leaf(
      LeafRequest(pfn: PFN(0x40000), level: .directoryPointer, permissions: .all, isWrite: true))
    for index in [0, 1, 2, 255, 511] as [UInt64] {
      let large = encoder.child(of: huge, at: .directoryPointer, index: index)
      #expect(large.rawValue == huge.rawValue | index << 21)
      #expect(encoder.pfn(of: large) == PFN(0x40000 + index * 512))
      #expect(encoder.format.kind(of: large.rawValue, at: .directory) == .leaf)
      let small = encoder.child(of: large, at: .directory, index: index)
      #expect(small.rawValue == (large.rawValue | index << 12) & ~0x80)
      #expect(encoder.pfn(of: small) == PFN(0x40000 + index * 513))
      #expect(encoder.format.kind(of: small.rawValue, at: .pageTable) == .leaf)
    }
  }
}
