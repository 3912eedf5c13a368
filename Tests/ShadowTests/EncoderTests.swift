import Paging
import Testing
import X86
import X86Guest
import X86Long
import X86Shadow

@Suite("Shadow encoder")
struct ShadowEncoderTests {
  static func encoder(
    width: Int = 46, mmio: MMIOMask? = .shadow(physicalAddressWidth: 46),
    relocation: MMIORelocation = .none
  ) throws(LayoutError) -> ShadowEncoder<Long4> {
    try ShadowEncoder(
      Long4(Self.host, X86Features(physicalAddressWidth: width)), rootLevel: Level(4),
      physicalAddressWidth: width, mmio: mmio, relocation: relocation)
  }

  static let badMasks: [(UInt64, UInt64, String)] = [
    (0x1, 0x1, "use an MMIO entry"), (0x8_0000_0000_0000, 0x8_0000_0000_0800, "leaves bits"),
    (0x8_0000_0000_0001, 0x8_0000_0000_0000, "outside its mask"),
    (0x2000_0000_0001, 0x2000_0000_0001, "address bits"), (0, 0, "empty"),
    (0x8000_0000_0000_0000, 0x8000_0000_0000_0000, "an MMIO entry"),
  ]

  static let host = X86Registers(
    cr0: [.protectionEnable, .paging, .writeProtect], cr4: [.physicalAddressExtension],
    efer: [.longModeEnable, .longModeActive, .noExecuteEnable])

  @Test("E11 a leaf holds P W U A D PS NX as asked, and the processor reads it back")
  func leaves() throws {
    let encoder = try Self.encoder()
    for raw in UInt8(0)..<16 {
      for level in 1...3 {
        let granted = Permissions(rawValue: raw).union(.read)
        let size = PageSize(shift: 3 + 9 * level)
        var request = LeafRequest(
          pfn: HPA(5 &* size.bytes).frame, level: Level(level), permissions: granted)
        request.protectionKey = raw
        let spte = encoder.leaf(request)
        #expect(encoder.isPresent(spte))
        #expect(encoder.format.kind(of: spte.rawValue, at: Level(level)) == .leaf)
        #expect(encoder.format.page(in: spte.rawValue, at: Level(level)).base == 5 &* size.bytes)
        #expect(encoder.pfn(of: spte) == request.pfn)
        var rights = encoder.format.unrestricted
        encoder.format.narrow(&rights, by: spte.rawValue, at: Level(level))
        #expect(rights.permissions == granted)
        #expect(spte.rawValue >> 59 & 15 == UInt64(raw))
        #expect(spte.rawValue & 1 << 8 == 0, "G is not copied")
        #expect(spte.rawValue & 0x60 == 0x20, "A, and D for a write alone")
        request.isWrite = true
        #expect(
          encoder.leaf(request).rawValue & 0x60 == (granted.contains(.write) ? 0x60 : 0x20))
        request.isPrefetch = true
        #expect(encoder.leaf(request).rawValue & 0x60 == 0, "nobody has asked for it yet")
      }
    }
  }

  @Test("E4 host-writable, MMU-writable and W are (1,1,1), (1,1,0), (1,0,0) or (0,0,0)")
  func writability() throws {
    let encoder = try Self.encoder()
    for (host, mmu, protected, bits) in [
      (true, true, false, 0b111), (true, true, true, 0b110), (true, false, false, 0b100),
      (true, false, true, 0b100), (false, true, false, 0b000), (false, false, true, 0b000),
    ] as [(Bool, Bool, Bool, UInt64)] {
      let spte = encoder.leaf(
        LeafRequest(
          pfn: PFN(7), level: .pageTable, permissions: .all, isHostWritable: host,
          isWriteProtected: protected, isMMUWritable: mmu)
      ).rawValue
      let found = (spte >> 9 & 1) << 2 | (spte >> 10 & 1) << 1 | spte >> 1 & 1
      #expect(found == bits, "\(host) \(mmu) \(protected)")
    }
  }

  @Test("E1 E9 neither non-present nor frozen nor MMIO entries are MMU-present")
  func markers() throws {
    let encoder = try Self.encoder()
    let layout = encoder.layout
    #expect(layout.nonPresent == SPTE(0x8000_0000_0000_0000))
    #expect(layout.frozen == SPTE(0x8000_0000_0000_05A0))
    for spte in [layout.nonPresent, layout.frozen, SPTE(0)] {
      #expect(!encoder.isPresent(spte))
      #expect(!encoder.isMMIO(spte))
      #expect(encoder.format.kind(of: spte.rawValue, at: .pageTable) == .notPresent)
    }
    #expect(encoder.isPresent(encoder.table(HPA(0x5000))))
    #expect(encoder.format.kind(of: encoder.table(HPA(0x5000)).rawValue, at: Level(4)) == .table)
  }

  @Test("E6 E7 an MMIO entry is a reserved-bit fault and gives back GFN, access and generation")
  func mmio() throws {
    for (width, relocation) in [
      (46, MMIORelocation.none), (36, .none), (46, .l1tf(cacheableWidth: 46)),
    ] {
      let encoder = try Self.encoder(
        width: width, mmio: .shadow(physicalAddressWidth: width), relocation: relocation)
      let mmio = try #require(encoder.layout.mmio)
      for shift in 0..<UInt64(width - 12) {
        for (permissions, access) in [
          (Permissions.read, 0), ([.read, .write], 2), ([.read, .user], 4), (.all, 6),
        ] as [(Permissions, UInt64)] {
          for generation in [0, 1, 0xFF, 0x100, 0x7FFFF, 0x80000] as [UInt64] {
            let gfn = GFN(1 << shift | 1)
            let spte = try #require(
              encoder.mmio(gfn: gfn, permissions: permissions, generation: generation))
            #expect(encoder.isMMIO(spte) && !encoder.isPresent(spte))
            #expect(encoder.format.kind(of: spte.rawValue, at: .pageTable) == .reserved)
            #expect(mmio.gfn(of: spte) == gfn)
            #expect(mmio.access(of: spte) == access)
            #expect(mmio.generation(of: spte) == generation & 0x7FFFF)
          }
        }
      }
      #expect(
        encoder.mmio(gfn: GFN(1 << UInt64(width - 12)), permissions: .all, generation: 0) == nil)
    }
    #expect(MMIOMask.shadow(physicalAddressWidth: 52) == nil, "no bit is reserved")
    #expect(try Self.encoder(width: 52, mmio: nil).layout.mmio == nil)
  }

  @Test(
    "E6 a mask that hardware would walk, or that a mapping matches, is refused",
    arguments: badMasks)
  func refusedMasks(value: UInt64, mask: UInt64, rule: String) {
    do throws(LayoutError) {
      _ = try Self.encoder(mmio: MMIOMask(value: value, mask: mask, accessMask: 6))
      Issue.record("0x\(String(value, radix: 16)) was accepted")
    } catch {
      #expect(error.description.contains(rule), "\(error)")
    }
  }

  @Test("E17 the table of fields covers the entry without holes that are not named")
  func fields() throws {
    let layout = try Self.encoder().layout
    #expect(layout.fields.map(\.field.name).contains("KEY"))
    for field in layout.fields {
      #expect(!field.field.meaning.isEmpty && !field.field.source.isEmpty)
      if field.field.source == "software" { #expect(!field.field.whyFree.isEmpty) }
    }
    let leaf = layout.fields.filter { $0.forms.contains(.leaf) }
    #expect(leaf.reduce(0) { $0 | $1.field.mask } == 0xF830_3FFF_FFFF_FEE7)
  }
}
