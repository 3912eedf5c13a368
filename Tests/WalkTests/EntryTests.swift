import Paging
import TestSupport
import Testing
import X86
import X86Guest
import X86Long

/// What entries are: present, reserved, table or leaf, and which page a leaf maps.
@Suite("Entries")
struct EntryTests {
  private static let paged: [ReferenceMachine.Mode] = [.legacy32, .pae, .long4, .long5]
  private static let wide: [ReferenceMachine.Mode] = [.pae, .long4, .long5]

  /// The cause and level with which a read of the path ends, `nil` where it arrives.
  private static func end(_ path: TablePath) -> String? {
    if case .pageFault(let error, let level, let cause, _) = path.walk(.read, Probe()) {
      return "\(cause) at \(level), error \(error)"
    }
    return path.walk(.read, Probe()).found == nil ? "something else" : nil
  }

  struct PSE36Case: Sendable {
    var width: Int
    var isThere: Bool
    /// The lowest reserved bit of a 4 MiB leaf; 22 where none is.
    var firstReserved: Int
  }

  @Test(
    "W2 PSE-36 gives PA 39:32 from bits 20:13 up to min(M, 40); the rest up to 21 is reserved",
    arguments: [
      PSE36Case(width: 32, isThere: true, firstReserved: 13),
      PSE36Case(width: 36, isThere: true, firstReserved: 17),
      PSE36Case(width: 40, isThere: true, firstReserved: 21),
      PSE36Case(width: 52, isThere: true, firstReserved: 21),
      PSE36Case(width: 40, isThere: false, firstReserved: 13),
    ])
  func pse36(row: PSE36Case) {
    for bit in 12...21 {
      let page: UInt64 = 0xFFC0_0000 | 1 << UInt64(bit)
      var path = TablePath(.legacy32, address: 0xABC_DEF0, leafLevel: 2, page: page)
      path.machine.width = row.width
      path.machine.hasPSE36 = row.isThere
      if bit >= row.firstReserved {
        #expect(Self.end(path) == "reserved bit at 2, error 9", "bit \(bit)")
      } else {
        let high: UInt64 = bit == 12 ? 0 : 1 << UInt64(bit - 13 + 32)
        #expect(path.walk(.read).pa == 0xFFC0_0000 | high | 0x3C_DEF0, "bit \(bit)")
      }
    }
  }

  @Test("W4 legacy32 without CR4.PSE, or the feature, ignores PS", arguments: [true, false])
  func psIsIgnored(byRegister: Bool) {
    var path = TablePath(.legacy32)
    path.set(2, path.entry(2) | 0x80)
    #expect(Self.end(path) == nil)
    #expect(path.walk(.read).found?.pageSize == 0x40_0000)
    if byRegister { path.machine.cr4 = 0 } else { path.machine.hasPSE = false }
    #expect(path.walk(.read).found?.pageSize == 0x1000)
    #expect(path.walk(.read).pa == 0x4000_0456)
  }

  @Test("W4 legacy32 has no reserved bits outside 4 MiB leaves")
  func legacyFree() {
    for level in 1...2 {
      for bit: UInt64 in 3...11 where !(level == 2 && bit == 7) {
        let path = TablePath(.legacy32)
        path.set(level, path.entry(level) ^ 1 << bit)
        #expect(Self.end(path) == nil, "level \(level), bit \(bit)")
      }
    }
  }

  @Test(
    "W4 address bits from M are reserved at every level", arguments: wide, [32, 36, 40, 51, 52])
  func addressBits(mode: ReferenceMachine.Mode, width: Int) {
    for level in 1...TablePath(mode).levels {
      for bit in 32...62 {
        var path = TablePath(mode)
        path.machine.width = width
        path.memory.fillsHoles = true
        path.set(level, path.entry(level) | 1 << UInt64(bit))
        let isReserved = bit >= width && (mode == .pae || bit <= 51)
        let expected = "reserved bit at \(level), error 9"
        let isOther = bit < width && level > 1
        let end = Self.end(path)
        if isReserved {
          #expect(end == expected, "level \(level), bit \(bit)")
        } else if isOther {
          // Another table, of zeros.
          #expect(end == "not present at \(level - 1), error 0", "level \(level), bit \(bit)")
        } else {
          #expect(end == nil, "level \(level), bit \(bit)")
        }
      }
    }
  }

  @Test("W4 XD is reserved while EFER.NXE=0, or without the feature", arguments: wide)
  func executeDisable(mode: ReferenceMachine.Mode) {
    for level in 1...TablePath(mode).levels {
      var path = TablePath(mode)
      path.set(level, path.entry(level) | 1 << 63)
      #expect(Self.end(path) == nil)
      path.machine.hasNX = false
      #expect(Self.end(path) == "reserved bit at \(level), error 9")
      path.machine.hasNX = true
      path.machine.efer &= ~(1 << 11)
      #expect(Self.end(path) == "reserved bit at \(level), error 9")
    }
  }

  @Test("W4 bit 7 is reserved in PML4E and PML5E, on AMD bit 8 as well", arguments: [4, 5])
  func topLevels(level: Int) {
    for isAMD in [false, true] {
      for bit: UInt64 in 3...11 {
        var path = TablePath(.long5)
        path.machine.isAMD = isAMD
        path.set(level, path.entry(level) | 1 << bit)
        let isReserved = bit == 7 || (bit == 8 && isAMD)
        let expected = isReserved ? "reserved bit at \(level), error 9" : nil
        #expect(Self.end(path) == expected, "bit \(bit), AMD \(isAMD)")
      }
    }
  }

  @Test("W4 bit 8 of lower tables is ignored on AMD", arguments: [2, 3])
  func lowerTables(level: Int) {
    var path = TablePath(.long4)
    path.machine.isAMD = true
    path.set(level, path.entry(level) | 0x100)
    #expect(Self.end(path) == nil)
  }

  @Test("W4 PS in a PDPTE is reserved without 1 GiB pages")
  func gigabytePages() {
    var path = TablePath(.long4, leafLevel: 3)
    #expect(path.walk(.read).found?.pageSize == 1 << 30)
    path.machine.hasGigabytePages = false
    #expect(Self.end(path) == "reserved bit at 3, error 9")
  }

  @Test(
    "W4 bits 20:13 of a 2 MiB leaf and 29:13 of a 1 GiB leaf are reserved, PAT is not",
    arguments: [
      (ReferenceMachine.Mode.pae, 2, 20), (.long4, 2, 20), (.long5, 2, 20), (.long4, 3, 29),
      (.long5, 3, 29),
    ])
  func largeLeaves(mode: ReferenceMachine.Mode, level: Int, last: UInt64) {
    let page: UInt64 = 0x8000_0000
    for bit in 8...31 as ClosedRange<UInt64> {
      let path = TablePath(mode, leafLevel: level, page: page)
      path.set(level, path.entry(level) ^ 1 << bit)
      let expected = bit >= 13 && bit <= last ? "reserved bit at \(level), error 9" : nil
      #expect(Self.end(path) == expected, "bit \(bit)")
    }
  }

  @Test("W5 with P=0 every other bit is ignored", arguments: paged)
  func notPresent(mode: ReferenceMachine.Mode) {
    for level in 1...TablePath(mode).levels {
      let path = TablePath(mode)
      path.set(level, ~1)
      #expect(Self.end(path) == "not present at \(level), error 0")
      #expect(path.error(.write.byUser) == 6)
    }
  }

  @Test(
    "W6 reserved bits win over what lies below; not present below wins over rights", arguments: wide
  )
  func order(mode: ReferenceMachine.Mode) {
    let top = TablePath(mode).levels
    let path = TablePath(mode)
    path.set(1, 0)
    path.set(top, path.entry(top) & ~6)
    // Refused by rights at the top, yet the entry below is not present.
    #expect(path.error(.write.byUser) == 6)
    path.set(1, 7 | 1 << 45)
    #expect(path.error(.write.byUser) == 0xF)
    path.set(top, path.entry(top) | 1 << 45)
    path.set(1, 0)
    #expect(Self.end(path) == "reserved bit at \(top), error 9")
    path.set(top, path.entry(top) & ~1)
    #expect(Self.end(path) == "not present at \(top), error 0")
  }

  @Test("W4 a width outside 32...52 is clamped, however it is set", arguments: [-1, 0, 31, 53, 64])
  func widths(width: Int) {
    var features = X86Features(physicalAddressWidth: width)
    let clamped = width < 32 ? 32 : 52
    #expect(features.physicalAddressWidth == clamped)
    features.physicalAddressWidth = 40
    features.physicalAddressWidth = width
    #expect(features.physicalAddressWidth == clamped)
    #expect(features.physicalAddressMask == (1 << UInt64(clamped)) - 1)
  }
}
