import Paging
import TestSupport
import Testing
import X86NPT

@Suite("NPT entries and exits")
struct NPTTests {
  /// The rules, one by one, as literally as the manual has them.
  static func literalKind(_ entry: UInt64, level: Int, _ cpu: NPTCapabilities) -> EntryKind {
    func bit(_ number: Int) -> Bool { entry / (1 << UInt64(number)) % 2 == 1 }
    if !bit(0) { return .notPresent }
    let highest = cpu.form == .pae ? 62 : 51
    let width = cpu.physicalAddressWidth
    if width <= highest, (width...highest).contains(where: bit) { return .reserved }
    if bit(63) && !cpu.noExecute { return .reserved }
    if level == 1 { return .leaf }
    if level >= 4 { return bit(7) || bit(8) ? .reserved : .table }
    if level == 3 && cpu.form == .pae {
      return ([1, 2, 5, 6, 7, 8, 63].contains(where: bit)) ? .reserved : .table
    }
    if !bit(7) { return .table }
    if level == 3 { return !cpu.pages1GiB || (13...29).contains(where: bit) ? .reserved : .leaf }
    return (13...20).contains(where: bit) ? .reserved : .leaf
  }

  static let processors: [NPTCapabilities] = NPTCapabilities.Form.allCases.flatMap { form in
    (0..<4).map { bits in
      NPTCapabilities(
        physicalAddressWidth: 44, form: form, pages1GiB: bits & 1 != 0, noExecute: bits & 2 != 0)
    }
  }

  @Test("E12 each bit of each kind of entry is reserved or not as the rules say")
  func kinds() {
    var wrong = 0
    var random = SeededGenerator(seed: 12)
    for cpu in Self.processors {
      let format = NPTFormat(cpu)
      for level in 1...cpu.levels {
        for low in 0..<(1 << 9) as Range<UInt64> {
          for high in [0, 1 << 63, 1 << 43, 1 << 44, 1 << 51, 1 << 52, 1 << 62] as [UInt64] {
            let entry = low | high
            let expected = Self.literalKind(entry, level: level, cpu)
            if format.kind(of: entry, at: Level(level)) != expected { wrong += 1 }
          }
        }
        for _ in 0..<2000 {
          let entry = random.next() & random.next() & random.next() | 1
          let expected = Self.literalKind(entry, level: level, cpu)
          if format.kind(of: entry, at: Level(level)) != expected { wrong += 1 }
        }
      }
    }
    #expect(wrong == 0)
  }

  @Test("E12 a walk needs U/S at every level, whoever the guest is")
  func userAlways() {
    let format = NPTFormat(NPTCapabilities(physicalAddressWidth: 44))
    for isUser in [true, false] {
      for kind in AccessKind.allCases {
        let access = format.finalAccess(kind, isUser: isUser, for: GVA(1))
        var rights = format.unrestricted
        #expect(format.permits(access, rights: rights, tables: rights, leaf: 0))
        format.narrow(&rights, by: 3, at: .pageTable)
        #expect(!format.permits(access, rights: rights, tables: rights, leaf: 0))
      }
    }
  }

  @Test("E12 table walks are user writes, reads of entries too")
  func tableAccesses() {
    let format = NPTFormat(NPTCapabilities(physicalAddressWidth: 44))
    for update in [true, false] {
      for gva in [GVA(1), nil] {
        let access = format.tableAccess(update: update, for: gva)
        #expect(NPTExitInfo(access, .notPresent).rawValue == 1 << 33 | 6)
        #expect(NPTExitInfo(access, .permission).rawValue == 1 << 33 | 7)
        #expect(NPTExitInfo(access, .reservedBit).rawValue == 1 << 33 | 0xF)
      }
    }
  }

  @Test("E12 EXITINFO1 and EXITINFO2 of every fault decode to what they were made of")
  func exitRoundTrip() throws {
    let format = NPTFormat(NPTCapabilities(physicalAddressWidth: 44))
    var words: Set<UInt64> = []
    let accesses =
      AccessKind.allCases.map { format.finalAccess($0, isUser: false, for: GVA(0)) }
      + [format.tableAccess(update: false, for: nil)]
    for access in accesses {
      for cause in [FaultCause.notPresent, .permission, .reservedBit] {
        let fault = format.fault(
          cause, at: .pageTable, GPA(0xABC_D123), for: access, rights: format.unrestricted, entry: 0
        )
        let word = fault.info.rawValue
        words.insert(word)
        let decoded = NestedPageFault(exitInfo1: word, exitInfo2: fault.exitInfo2)
        #expect(decoded == fault)
        #expect(decoded.info.access == access)
        #expect(decoded.info.cause == cause)
        #expect(decoded.gpa == GPA(0xABC_D123) && decoded.gva == nil)
        #expect(decoded.cause == .nestedPageFault)
        #expect(decoded.isMalformed == (cause == .reservedBit))
        #expect(decoded.isTableAccess == !access.isFinal)
        let (final, rebuilt) = (try #require(decoded.info.access), try #require(decoded.info.cause))
        #expect(NPTExitInfo(final, rebuilt).rawValue == word)
      }
    }
    #expect(words.count == 12)
    #expect(words.allSatisfy { $0 & 4 != 0 })
    // The other words of these bits are no nested page fault.
    for low in 0..<64 as Range<UInt64> {
      for high in 0..<4 as Range<UInt64> {
        let info = NPTExitInfo(rawValue: high << 32 | low)
        let isWhole = info.access != nil && info.cause != nil
        #expect(isWhole == (low < 32 && words.contains(info.rawValue)), "\(info)")
      }
    }
  }

  @Test("E1 E2 E4 E12 every present entry is what hardware walks, with U, and grants no more")
  func presentEntries() throws {
    var random = SeededGenerator(seed: 2)
    for cpu in Self.processors {
      let encoder = try NPTEncoder(cpu)
      for _ in 0..<500 {
        var request = LeafRequest.random(&random)
        if request.level > encoder.largestLeafLevel { request.level = .directory }
        let frames = (1 as UInt64) << UInt64(9 * (request.level.rawValue - 1))
        request.pfn = PFN(request.pfn.rawValue % (1 << 32) / frames * frames)
        let leaf = encoder.leaf(request)
        let asked = request.permissions
        let kind = encoder.format.kind(of: leaf.rawValue, at: request.level)
        #expect(kind == (asked.contains(.read) ? .leaf : .notPresent), "\(leaf)")
        #expect(encoder.isPresent(leaf) && leaf.rawValue & 4 != 0)
        #expect(leaf.rawValue >> 52 & 0x7FF == 0)
        #expect(encoder.pfn(of: leaf) == request.pfn)
        #expect(encoder.permits(.read, leaf) == asked.contains(.read))
        #expect(asked.contains(.write) || !encoder.permits(.write, leaf))
        #expect(
          encoder.permits(.fetch, leaf)
            == (asked.contains(.read) && (asked.contains(.execute) || !cpu.noExecute)))
        let bits = [leaf.rawValue >> 9 & 1, leaf.rawValue >> 10 & 1, leaf.rawValue >> 1 & 1]
        #expect([[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]].contains(bits))
      }
      for level in 2...cpu.levels {
        let table = encoder.table(HPA(0x123_4000), at: Level(level))
        #expect(encoder.format.kind(of: table.rawValue, at: Level(level)) == .table)
        #expect(encoder.pfn(of: table) == PFN(0x1234))
      }
    }
  }

  @Test("E7 E12 the default MMIO mask: P and bit 51, access W and U; off at 52 bits")
  func mmioDefault() throws {
    #expect(
      MMIOMask.npt(physicalAddressWidth: 51)
        == MMIOMask(value: 1 << 51 | 1, mask: 1 << 51 | 1, accessMask: 6))
    #expect(MMIOMask.npt(physicalAddressWidth: 52) == nil)
    let off = try NPTEncoder(NPTCapabilities(physicalAddressWidth: 52))
    #expect(off.layout.mmio == nil)
    #expect(off.mmio(gfn: GFN(1), permissions: .all, generation: 1) == nil)
    for cpu in Self.processors {
      let encoder = try NPTEncoder(cpu)
      var random = SeededGenerator(seed: 7)
      for _ in 0..<200 {
        let gfn = GFN(random.next() % (1 << 32))
        let generation = random.next() % (1 << 19)
        let entry = try #require(
          encoder.mmio(gfn: gfn, permissions: [.write], generation: generation))
        let mmio = try #require(encoder.layout.mmio)
        #expect(encoder.format.kind(of: entry.rawValue, at: .pageTable) == .reserved)
        #expect(!encoder.isPresent(entry) && encoder.isMMIO(entry))
        #expect(mmio.gfn(of: entry) == gfn && mmio.access(of: entry) == 2)
        #expect(mmio.generation(of: entry) == generation)
      }
    }
  }

  @Test("E6 E9 the markers are not present, and a mask that hardware would use is refused")
  func markers() throws {
    for cpu in Self.processors {
      let encoder = try NPTEncoder(cpu)
      let marker: UInt64 = cpu.form == .pae ? 0 : 1 << 63
      #expect(encoder.layout.nonPresent == SPTE(marker))
      #expect(encoder.layout.frozen == SPTE(marker | 0x5A0))
      #expect(
        layoutError { () throws(LayoutError) in
          try NPTEncoder(cpu, mmio: MMIOMask(value: 1, mask: 1, accessMask: 0))
        } != nil)
    }
  }
}
