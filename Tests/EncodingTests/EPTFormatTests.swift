import Paging
import TestSupport
import Testing
import X86EPT

@Suite("EPT entries")
struct EPTFormatTests {
  /// The rules of SPEC E13, one by one, as literally as they are written.
  static func literalKind(_ entry: UInt64, level: Int, _ cpu: EPTCapabilities) -> EntryKind {
    func bit(_ number: Int) -> Bool { entry / (1 << UInt64(number)) % 2 == 1 }
    let isReadable = bit(0)
    let isWritable = bit(1)
    let isExecutable = bit(2)
    let isUserExecutable = cpu.modeBasedExecution && bit(10)
    if !isReadable && !isWritable && !isExecutable && !isUserExecutable { return .notPresent }
    if isWritable && !isReadable { return .reserved }
    if (isExecutable || isUserExecutable) && !isReadable && !cpu.executeOnly { return .reserved }
    if (cpu.physicalAddressWidth..<52).contains(where: bit) { return .reserved }
    if level >= 4 { return (3...7).contains(where: bit) ? .reserved : .table }
    if level > 1 && !bit(7) { return (3...6).contains(where: bit) ? .reserved : .table }
    let type = (bit(3) ? 1 : 0) + (bit(4) ? 2 : 0) + (bit(5) ? 4 : 0)
    if [2, 3, 7].contains(type) { return .reserved }
    if level == 2 && (!cpu.pages2MiB || (12...20).contains(where: bit)) { return .reserved }
    if level == 3 && (!cpu.pages1GiB || (12...29).contains(where: bit)) { return .reserved }
    return .leaf
  }

  static let processors: [EPTCapabilities] = (0..<16).map { bits in
    EPTCapabilities(
      physicalAddressWidth: 40, levels: 5, executeOnly: bits & 1 != 0, pages2MiB: bits & 2 != 0,
      pages1GiB: bits & 4 != 0, modeBasedExecution: bits & 8 != 0)
  }

  @Test("E13 every pattern of bits 10:0 is what the literal rules say", arguments: processors)
  func lowBits(cpu: EPTCapabilities) {
    let format = EPTFormat(cpu)
    var wrong = 0
    for level in 1...5 {
      for entry in 0..<(1 << 11) as Range<UInt64> {
        let expected = Self.literalKind(entry, level: level, cpu)
        if format.kind(of: entry, at: Level(level)) != expected { wrong += 1 }
      }
    }
    #expect(wrong == 0)
  }

  @Test("E13 each address bit of each kind of entry is reserved or not as the rules say")
  func addressBits() {
    for width in [32, 36, 40, 46, 51, 52] {
      let cpu = EPTCapabilities(physicalAddressWidth: width, levels: 5)
      let format = EPTFormat(cpu)
      for level in 1...5 {
        for low: UInt64 in [0, 7, 0x87, 0xB7, 5, 6] {
          for bit in 11...63 as ClosedRange<UInt64> {
            let entry = low | 1 << bit
            #expect(
              format.kind(of: entry, at: Level(level))
                == Self.literalKind(entry, level: level, cpu),
              "width \(width) level \(level) low \(low) bit \(bit)")
          }
        }
      }
    }
  }

  @Test("E13 random entries agree with the literal rules")
  func randomEntries() {
    var random = SeededGenerator(seed: 13)
    var wrong = 0
    for _ in 0..<50_000 {
      var cpu = random.pick(Self.processors)
      cpu.physicalAddressWidth = 32 + random.below(21)
      // Few bits, or nearly every entry would be reserved.
      let entry = random.next() & random.next() & random.next() | random.next() & 7
      let level = 1 + random.below(5)
      let kind = EPTFormat(cpu).kind(of: entry, at: Level(level))
      if kind != Self.literalKind(entry, level: level, cpu) { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test("E13 a misconfiguration lower down beats a rights violation higher up")
  func misconfigurationWins() throws {
    let path = EPTPath(.width(46), entry: 0x40_0002, level: 1, upper: 1)
    let exit = try #require(path.exit(.write))
    #expect(exit.cause == .eptMisconfiguration)
    guard case .misconfiguration(let found) = exit else { return }
    #expect(found.level == .pageTable)
    #expect(found.entry == 0x40_0002)
  }

  @Test("E13 a not-present entry lower down is a violation whatever is above")
  func notPresentIsViolation() throws {
    let path = EPTPath(.width(46), entry: 1 << 63, level: 2, upper: 5)
    guard case .violation(let found)? = path.exit(.write) else {
      Issue.record("no violation")
      return
    }
    #expect(found.level == .directory)
    #expect(!found.isConvertible)
    #expect(found.qualification.permissions == [])
  }

  @Test("E13 an address past the walk's width is a violation that grants nothing and never a #VE")
  func tooWide() {
    let path = EPTPath(.width(52), entry: 0x40_0037, level: 1)
    let access = path.format.finalAccess(.read, isUser: false, for: GVA(1))
    let result = Walker(path.format).walk(
      GPA(1 << 48), for: access, at: TableRoot(0x4000), in: path.memory, Judge())
    guard case .failure(.fault(.violation(let found))) = result else {
      Issue.record("no violation: \(result)")
      return
    }
    #expect(found.qualification.permissions == [])
    #expect(!found.isConvertible)
    #expect(path.memory.loads == 0)
  }

  @Test("E13 EPTP: type, walk length, A/D, reserved bits")
  func eptp() {
    let format = EPTFormat(.width(46))
    let root = TableRoot(0x1234_5000)
    #expect(format.eptp(root) == 0x1234_505E)
    #expect(format.root(eptp: 0x1234_505E) == root)
    #expect(format.root(eptp: 0x1234_5058) == root)
    for type: UInt64 in [1, 2, 3, 4, 5, 7] {
      #expect(format.root(eptp: 0x1234_5058 | type) == nil)
    }
    for bit in [8, 9, 10, 11, 46, 51, 52, 63] as [UInt64] {
      #expect(format.root(eptp: 0x1234_505E | 1 << bit) == nil, "bit \(bit)")
    }
    for length in [0, 1, 2, 4, 5, 6, 7] as [UInt64] {
      #expect(format.root(eptp: 0x1234_5046 | length << 3) == nil)
    }
    let plain = EPTFormat(
      EPTCapabilities(physicalAddressWidth: 46, levels: 5, accessedDirty: false))
    #expect(plain.eptp(root) == 0x1234_5026)
    #expect(plain.root(eptp: 0x1234_5066) == nil, "A/D without the capability")
  }

  @Test("E13 A in every entry, D in the leaf of a write, none without EPTP bit 6")
  func accessedDirty() {
    for isOn in [true, false] {
      let cpu = EPTCapabilities(physicalAddressWidth: 46, accessedDirty: isOn)
      for kind in AccessKind.allCases {
        let path = EPTPath(cpu, entry: 0x40_0037, level: 1)
        _ = path.walk(path.format.finalAccess(kind, isUser: false, for: GVA(0)), Commit())
        for level in 1...4 {
          let entry = path.memory.peek(UInt64(level) << 12, as: UInt64.self)
          let dirty: UInt64 = level == 1 && kind == .write ? 0x200 : 0
          #expect(entry & 0x300 == (isOn ? 0x100 | dirty : 0))
        }
      }
    }
  }

  @Test("capabilities stay in their ranges when they are changed")
  func capabilitiesClamp() {
    var cpu = EPTCapabilities.width(40)
    cpu.physicalAddressWidth = 70
    cpu.levels = 9
    #expect(cpu.physicalAddressWidth == 52)
    #expect(cpu.levels == 5)
    #expect(EPTFormat(cpu).kind(of: 0x37 | 1 << 51, at: .pageTable) == .leaf)
  }
}
