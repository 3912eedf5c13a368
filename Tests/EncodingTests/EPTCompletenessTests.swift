import Paging
import TestSupport
import Testing
import X86EPT

@Suite("EPT, the second layout, #VE and exit decoding")
struct EPTCompletenessTests {
  static func modeBased(_ accessedDirty: Bool) throws -> EPTEncoder {
    try EPTEncoder(
      EPTCapabilities(
        physicalAddressWidth: 46, accessedDirty: accessedDirty, modeBasedExecution: true),
      layout: .modeBased)
  }

  @Test("E9 the second layout leaves bit 10 to user execution and carries mode-based execution")
  func secondLayout() throws {
    for isOn in [true, false] {
      let encoder = try Self.modeBased(isOn)
      #expect(encoder.layout.frozen == SPTE(1 << 63 | 0x1A0))
      #expect(encoder.layout.mmio?.generationCount == 1 << 18)
      var random = SeededGenerator(seed: 9)
      for _ in 0..<1000 {
        var request = LeafRequest.random(&random)
        let frames = (1 as UInt64) << UInt64(9 * (request.level.rawValue - 1))
        request.pfn = PFN(request.pfn.rawValue % (1 << 34) / frames * frames)
        let leaf = encoder.leaf(request)
        #expect(leaf.rawValue >> 10 & 1 == leaf.rawValue >> 2 & 1, "user and supervisor alike")
        #expect(leaf.rawValue >> 60 & 3 == (isOn ? 0 : 1))
        #expect(leaf.rawValue >> 53 & 1 == (request.isHostWritable ? 1 : 0))
        #expect(encoder.breach(of: leaf, at: request.level) == nil)
        let generation = random.next() % (1 << 18)
        let gfn = GFN(random.next() % (1 << 34))
        let mmio = try #require(encoder.mmio(gfn: gfn, permissions: .all, generation: generation))
        #expect(mmio.rawValue >> 10 & 1 == 0)
        #expect(encoder.format.kind(of: mmio.rawValue, at: .pageTable) == .reserved)
        #expect(encoder.layout.mmio?.generation(of: mmio) == generation)
        #expect(encoder.layout.mmio?.gfn(of: mmio) == gfn)
      }
    }
  }

  @Test("E3 E9 ageing saves R, X and user execution, restores them, never W; twice is once")
  func tracking() throws {
    for encoder in [
      try Self.modeBased(false),
      try EPTEncoder(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false)),
    ] {
      var random = SeededGenerator(seed: 3)
      for _ in 0..<1000 {
        var request = LeafRequest.random(&random)
        request.permissions.insert(.read)
        request.pfn = PFN(0)
        let leaf = encoder.leaf(request)
        let tracked = encoder.aged(leaf)
        #expect(tracked.rawValue & (7 | encoder.layout.masks.user) == 0)
        #expect(encoder.isAccessTracked(tracked) && !encoder.isAccessed(tracked))
        #expect(encoder.format.kind(of: tracked.rawValue, at: request.level) == .notPresent)
        #expect(encoder.aged(tracked) == tracked)
        #expect(encoder.accessRestored(tracked) == encoder.writeProtected(leaf))
        #expect(encoder.accessRestored(leaf) == leaf)
        #expect(encoder.breach(of: tracked, at: request.level) == nil)
        // Saved rights in an entry that is not tracked are a breach.
        let wrong = SPTE(tracked.rawValue | 1)
        #expect(encoder.breach(of: wrong, at: request.level) != nil)
      }
    }
  }

  @Test("E3 with A/D on ageing clears A and nothing else")
  func clearing() throws {
    let encoder = try EPTEncoder(EPTCapabilities(physicalAddressWidth: 46))
    let leaf = encoder.leaf(
      LeafRequest(pfn: PFN(1), level: .pageTable, permissions: .all, isWrite: true))
    #expect(encoder.aged(leaf) == SPTE(leaf.rawValue & ~(1 << 8)))
    #expect(encoder.isAccessed(leaf) && !encoder.isAccessed(encoder.aged(leaf)))
    #expect(!encoder.needsFlush(from: leaf, to: encoder.aged(leaf)))
    #expect(encoder.isDirty(leaf) && !encoder.isDirty(encoder.cleaned(leaf)))
  }

  @Test("E14 a qualification decodes to the access and rights it was made of")
  func qualifications() throws {
    var words: Set<UInt64> = []
    for isOn in [true, false] {
      let format = EPTFormat(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: isOn))
      let gva = GVA(0x1234)
      let accesses =
        AccessKind.allCases.map { format.finalAccess($0, isUser: false, for: gva) } + [
          format.tableAccess(update: false, for: gva), format.tableAccess(update: true, for: gva),
          format.tableAccess(update: false, for: nil),
        ]
      for access in accesses {
        for granted in [0, 1, 3, 4, 5, 7, 0x400, 0x407] as [UInt64] {
          let made = EPTQualification(access, rights: EPTRights(granted: granted))
          words.insert(made.rawValue)
          let violation = EPTViolation(
            exitQualification: made.rawValue, guestPhysicalAddress: 0x5678,
            guestLinearAddress: 0x1234)
          #expect(violation.gva == access.gva && violation.gpa == GPA(0x5678))
          let decoded = try #require(made.access(gva: violation.gva))
          #expect(decoded.reported == access.reported && decoded.isFinal == access.isFinal)
          #expect(made.rights.granted == granted)
          #expect(EPTQualification(decoded, rights: made.rights) == made)
        }
      }
    }
    for word in 0..<2048 as Range<UInt64> {
      let made = EPTQualification(rawValue: word)
      let access = made.access(gva: made.isGVAValid ? GVA(1) : nil)
      guard let access else {
        #expect(!words.contains(word))
        continue
      }
      #expect(EPTQualification(access, rights: made.rights).rawValue == word)
    }
  }

  @Test("E15 a #VE needs a convertible violation, VE on, CR0.PE, no event, a free area")
  func exceptions() throws {
    func exit(_ entry: UInt64, _ cause: FaultCause = .notPresent) -> EPTExit {
      let format = EPTFormat(EPTCapabilities(physicalAddressWidth: 46))
      let access = format.finalAccess(.write, isUser: false, for: GVA(0xABC))
      return format.fault(
        cause, at: .pageTable, GPA(0xDEF000), for: access, rights: EPTRights(granted: 0),
        entry: entry)
    }
    let on = VirtualizationExceptionState(isEnabled: true, eptpIndex: 7)
    let area = try #require(exit(0).exception(on))
    #expect(area.bytes.count == 34)
    #expect(Array(area.bytes[..<8]) == [48, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF])
    #expect(area.qualification == 0x182 && area.gva == 0xABC && area.gpa == 0xDEF000)
    #expect(area.eptpIndex == 7)
    #expect(VirtualizationExceptionArea(bytes: area.bytes) == area)
    #expect(VirtualizationExceptionArea(bytes: [1]) == nil)
    #expect(exit(1 << 63).exception(on) == nil, "suppressed")
    #expect(exit(2, .reservedBit).exception(on) == nil, "a misconfiguration")
    for change in [
      { $0.isEnabled = false }, { $0.isProtectedMode = false }, { $0.isDeliveringEvent = true },
      { $0.busyWord = 1 },
    ] as [(inout VirtualizationExceptionState) -> Void] {
      var state = on
      change(&state)
      #expect(exit(0).exception(state) == nil)
    }
  }
}
