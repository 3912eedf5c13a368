import Paging
import TestSupport
import Testing
import X86
import X86EPT
import X86Long
import X86NPT
import X86Shadow

@Suite("Layouts chosen by name")
struct NamedLayoutTests {
  static func shadow(
    _ layout: NamedLayout, width: Int = 46, mmio: MMIOMask? = nil,
    encryption: MemoryEncryption? = nil, knownMask: UInt64? = nil
  ) throws(LayoutError) -> ShadowEncoder<Long5> {
    let host = X86Registers(
      cr0: [.protectionEnable, .paging, .writeProtect],
      cr4: [.physicalAddressExtension, .linearAddress57],
      efer: [.longModeEnable, .longModeActive, .noExecuteEnable])
    var features = X86Features(physicalAddressWidth: width)
    features.encryptionMask =
      knownMask ?? encryption?.mask
      ?? (layout == .encrypted ? MemoryEncryption.sme(physicalAddressWidth: width)?.mask ?? 0 : 0)
    return try ShadowEncoder(
      Long5(host, features), rootLevel: Level(5), physicalAddressWidth: width,
      mmio: mmio ?? .shadow(physicalAddressWidth: width, layout: layout), layout: layout,
      encryption: encryption)
  }

  @Test(
    "E7 the EPT layout of 2011 is bits 56:49 with value 6, has no generation, and takes its own room"
  )
  func ept2011() throws {
    for width in 32...49 {
      let encoder = try EPTEncoder(.width(width), layout: .mmio2011)
      let mmio = try #require(encoder.layout.mmio)
      #expect(mmio.mask == MMIOMask(value: 0xFF << 49 | 6, mask: 0xFF << 49 | 6, accessMask: 0))
      #expect(mmio.generationCount == 1)
      #expect(encoder.layout.field(.mmioGenerationLow) == nil)
      let gfn = GFN(1 << UInt64(width - 12) - 1)
      let spte = try #require(encoder.mmio(gfn: gfn, permissions: .all, generation: 77))
      #expect(spte.rawValue == 0xFF << 49 | gfn.baseAddress.rawValue | 6)
      #expect(mmio.gfn(of: spte) == gfn && mmio.generation(of: spte) == 0)
      #expect(encoder.format.kind(of: spte.rawValue, at: .pageTable) == .reserved)
      var random = SeededGenerator(seed: UInt64(width))
      for _ in 0..<200 { #expect(!encoder.isMMIO(encoder.leaf(.random(&random)))) }
    }
    // Bits 51:49 are addresses there.
    let error = try #require(
      layoutError { () throws(LayoutError) in try EPTEncoder(.width(52), layout: .mmio2011) })
    #expect(error.bits == 7 << 49 && error.owner == "GFN", "\(error)")
    // The old mask in today's layout hits the generation.
    let mask = MMIOMask.ept(.mmio2011)
    let clash = layoutError { () throws(LayoutError) in try EPTEncoder(.width(46), mmio: mask) }
    #expect(clash?.bits == 0x1F << 52)
  }

  @Test("E7 the legacy layout of 2011 is bits 62:M with P, and with P clear at 52 bits")
  func legacy2011() throws {
    for width in 32...52 {
      let high = (~0 as UInt64 >> 1) & ~((1 << UInt64(width)) - 1)
      let shadow = try Self.shadow(.mmio2011, width: width)
      let npt = try NPTEncoder(
        NPTCapabilities(physicalAddressWidth: width), layout: .mmio2011)
      try check2011(shadow, high, width)
      try check2011(npt, high, width)
    }
  }

  private func check2011(_ encoder: some SPTEEncoder, _ high: UInt64, _ width: Int) throws {
    let present: UInt64 = width < 52 ? 1 : 0
    let mmio = try #require(encoder.layout.mmio)
    #expect(mmio.mask == MMIOMask(value: high | present, mask: high | 1, accessMask: 6))
    #expect(mmio.generationCount == 1)
    for permissions in [Permissions.read, [.read, .write], .all] {
      let gfn = GFN(1 << UInt64(width - 12) - 1)
      let spte = try #require(encoder.mmio(gfn: gfn, permissions: permissions, generation: 9))
      #expect(mmio.gfn(of: spte) == gfn)
      #expect(mmio.access(of: spte) & 2 != 0 || !permissions.contains(.write))
      #expect(!encoder.isPresent(spte))
      let kind = encoder.format.kind(of: spte.rawValue, at: .pageTable)
      #expect(kind == (width < 52 ? .reserved : .notPresent))
    }
    var random = SeededGenerator(seed: UInt64(width))
    for _ in 0..<100 {
      var request = LeafRequest.random(&random)
      request.protectionKey = 15
      #expect(!encoder.isMMIO(encoder.leaf(request)))
    }
  }

  @Test("E19 the layout of 2008: an empty entry is P with reserved bits, the guest's own is 0")
  func trap2008() throws {
    for width in 32...51 {
      let encoder = try Self.shadow(.trap2008, width: width)
      let layout = encoder.layout
      #expect(layout.nonPresent.rawValue == (1 << 52) - (1 << UInt64(width)) | 1)
      #expect(layout.noTrap == SPTE(0))
      #expect(layout.mmio == nil)
      for level in 1...5 {
        #expect(encoder.format.kind(of: layout.nonPresent.rawValue, at: Level(level)) == .reserved)
        #expect(encoder.format.kind(of: 0, at: Level(level)) == .notPresent)
      }
      for spte in [layout.nonPresent, SPTE(0)] {
        #expect(encoder.isVacant(spte) && !encoder.isPresent(spte))
        #expect(encoder.breach(of: spte, at: .pageTable) == nil)
      }
    }
    let full = layoutError { () throws(LayoutError) in try Self.shadow(.trap2008, width: 52) }
    #expect(full?.rule.contains("no bit is reserved") == true, "\(String(describing: full))")
  }

  @Test("E19 a trap that hardware would use, or that is no trap, is refused; EPT and NPT have none")
  func badTraps() throws {
    struct Bit51: EntryLegality {
      func admitsUsableEntry(ones: UInt64, zeros: UInt64) -> Bool {
        ones & 1 << 51 == 0 && zeros & 1 == 0
      }
    }
    func compose(_ trap: UInt64, noTrap: UInt64 = 0) -> LayoutError? {
      layoutError { () throws(LayoutError) in
        try SPTELayout(
          name: "toy", fields: ShadowFields.table(physicalAddressWidth: 46), nonPresent: trap,
          frozen: 0x5A0, physicalAddressWidth: 46, mmio: nil, noTrap: noTrap, legality: Bit51())
      }
    }
    #expect(compose(1 << 51 | 1) == nil)
    #expect(compose(1 << 51)?.rule.contains("not present to hardware") == true)
    #expect(compose(1)?.rule.contains("would use the trap") == true)
    #expect(compose(1 << 51 | 1 | 1 << 11)?.owner == "MMU-present")
    #expect(compose(1 << 51 | 1 | 1 << 20)?.owner == "address")
    #expect(compose(1 << 51 | 1, noTrap: 1)?.bits == 1)
    for encoder in ["ept", "npt"] {
      let error = layoutError { () throws(LayoutError) in
        try NamedLayout.trap2008.check(
          for: encoder, among: encoder == "ept" ? EPTEncoder.layouts : NPTEncoder.layouts)
      }
      #expect(error?.rule.contains("no layout '2008'") == true)
    }
    let ept = layoutError { () throws(LayoutError) in
      try EPTEncoder(.width(46), layout: .trap2008)
    }
    #expect(ept?.owner == "standard, mbec, 2011")
  }

  @Test(
    "E7 E17 SME: the C-bit is in tables and pages, never in MMIO, whose bits are the others above M"
  )
  func encrypted() throws {
    for (width, bit) in [(43, 47), (47, 47), (48, 51), (51, 51), (36, 47)] as [(Int, UInt64)] {
      let c = (1 as UInt64) << bit
      let shadow = try Self.shadow(.encrypted, width: width)
      let npt = try NPTEncoder(
        NPTCapabilities(physicalAddressWidth: width), layout: .encrypted)
      try checkEncrypted(shadow, c, width)
      try checkEncrypted(npt, c, width)
    }
    #expect(layoutError { () throws(LayoutError) in try Self.shadow(.encrypted, width: 52) } != nil)
    // At 51 bits the C-bit is the only one left: no MMIO is cached.
    #expect(try Self.shadow(.encrypted, width: 51).layout.mmio == nil)
  }

  private func checkEncrypted(_ encoder: some SPTEEncoder, _ c: UInt64, _ width: Int) throws {
    #expect(encoder.layout.masks.encryption == c && encoder.layout.encryptionValue == c)
    var random = SeededGenerator(seed: UInt64(width))
    for _ in 0..<100 {
      let request = LeafRequest.random(&random)
      let leaf = encoder.leaf(request)
      #expect(leaf.rawValue & c == c)
      #expect(encoder.pfn(of: leaf).baseAddress.rawValue & c == 0)
    }
    let table = encoder.table(HPA(0x5000))
    #expect(table.rawValue & c == c)
    #expect(encoder.format.kind(of: table.rawValue, at: Level(4)) == .table)
    #expect(encoder.format.table(in: table.rawValue, at: Level(4)) == 0x5000)
    guard let mmio = encoder.layout.mmio else {
      #expect(width == 51)
      return
    }
    let reserved = (1 << 52 as UInt64) - (1 << UInt64(width))
    #expect(mmio.mask.value == reserved & ~c | 1)
    let spte = try #require(encoder.mmio(gfn: GFN(0x12345), permissions: .all, generation: 3))
    #expect(spte.rawValue & c == 0)
    #expect(encoder.format.kind(of: spte.rawValue, at: .pageTable) == .reserved)
  }

  @Test(
    "E17 encryption of many bits: the value lies in the mask, outside addresses, fields and MMIO")
  func encryptionRules() throws {
    func compose(_ mask: UInt64, _ value: UInt64, mmio: MMIOMask? = nil) -> LayoutError? {
      layoutError { () throws(LayoutError) in
        try Self.shadow(
          .standard, width: 40,
          mmio: mmio ?? MMIOMask(value: 1 << 51 | 1, mask: 1 << 51 | 1, accessMask: 6),
          encryption: MemoryEncryption(mask: mask, value: value))
      }
    }
    #expect(compose(0x3F << 44, 5 << 44) == nil)
    #expect(compose(0x3F << 44, 0) == nil)
    #expect(compose(0x3F << 44, 1 << 50)?.bits == 1 << 50)
    #expect(compose(5 << 44, 5 << 44)?.rule.contains("one run") == true)
    #expect(compose(0, 0)?.rule.contains("one run") == true)
    #expect(compose(3 << 39, 1 << 40)?.bits == 1 << 39)
    #expect(compose(1 << 51, 1 << 51)?.owner == "C")
    #expect(compose(1 << 52, 1 << 52)?.owner.isEmpty == false)
    // What walks the entries must know of them.
    let unknown = layoutError { () throws(LayoutError) in
      try Self.shadow(
        .standard, width: 40, encryption: MemoryEncryption(mask: 1 << 45, value: 1 << 45),
        knownMask: 0)
    }
    #expect(unknown?.bits == 1 << 45)
  }

  @Test("E18 parts of a large leaf get X back where being large took it, through tracked ones too")
  func split() throws {
    let ept = try EPTEncoder(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false))
    let mbec = try EPTEncoder(
      {
        var capabilities = EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false)
        capabilities.modeBasedExecution = true
        return capabilities
      }(), layout: .modeBased)
    let npt = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 46))
    try checkSplit(ept)
    try checkSplit(mbec)
    try checkSplit(npt)
    try checkSplit(Self.shadow(.standard))
  }

  private func checkSplit(_ encoder: some SPTEEncoder) throws {
    for level in [Level.directory, .directoryPointer] {
      var request = LeafRequest(
        pfn: PFN(3 << 18), level: level, permissions: [.read, .write, .user])
      let denied = encoder.leaf(request)
      request.permissions = .all
      let whole = encoder.leaf(request)
      #expect(!encoder.permits(.fetch, denied))
      #expect(encoder.executionDenied(whole) == denied)
      #expect(encoder.executionGranted(denied) == whole)
      for large in [denied, encoder.aged(denied)] {
        for index in [0, 1, 511] as [UInt64] {
          let kept = encoder.child(of: large, at: level, index: index)
          let child = encoder.child(of: large, at: level, index: index, returnsExecution: true)
          #expect(!encoder.permits(.fetch, encoder.accessRestored(kept)))
          let isSmall = level == .directory
          #expect(encoder.permits(.fetch, encoder.accessRestored(child)) == isSmall)
          #expect(encoder.isAccessTracked(child) == encoder.isAccessTracked(large))
          #expect(encoder.breach(of: child, at: level.below) == nil)
          let span = (1 as UInt64) << UInt64(9 * (level.rawValue - 2))
          #expect(encoder.pfn(of: child) == PFN(3 << 18 + index * span))
          #expect(encoder.isLeaf(child, at: level.below))
        }
      }
    }
  }

  @Test("F2 E9 a 32-bit host's half-written MMIO entry is zapped; no other host has such entries")
  func halves() throws {
    let pae = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 40, form: .pae))
    let whole = try #require(pae.mmio(gfn: GFN(0xFEE00), permissions: .all, generation: 0x555))
    let half = SPTE(whole.rawValue & ~0xFFFF_FFFF)
    #expect(pae.isZapped(half) && !pae.isMMIO(half))
    #expect(pae.isZapped(SPTE(0)) && pae.isZapped(pae.layout.frozen))
    #expect(!pae.isZapped(whole))
    #expect(!pae.isZapped(SPTE(half.rawValue | 4)), "the low word is not 0")
    #expect(!pae.isZapped(SPTE(1 << 40)), "the high word is no MMIO entry's")
    let long = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 40))
    #expect(!long.isZapped(half), "64-bit hosts write an entry whole")
  }
}
