import Paging
import Testing
import X86EPT

@Suite("EPT exits")
struct EPTExitTests {
  static func format(accessedDirty: Bool) -> EPTFormat {
    EPTFormat(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: accessedDirty))
  }

  @Test("E14 bits 2:0 say the access")
  func accessBits() {
    for (kind, bits) in [(AccessKind.read, 1), (.write, 2), (.fetch, 4)] as [(AccessKind, UInt64)] {
      let access = Self.format(accessedDirty: true).finalAccess(kind, isUser: false, for: GVA(5))
      let qualification = EPTQualification(access, rights: EPTRights(granted: 0))
      #expect(qualification.rawValue == bits | 1 << 7 | 1 << 8)
      #expect(qualification.kind == kind)
      #expect(qualification.isRead == (kind == .read))
      #expect(qualification.isWrite == (kind == .write))
      #expect(qualification.isFetch == (kind == .fetch))
    }
  }

  @Test("E14 with A/D on a table walk reads and writes; off, its update does")
  func tableBits() {
    let on = Self.format(accessedDirty: true)
    let off = Self.format(accessedDirty: false)
    func raw(_ access: EPTAccess) -> UInt64 {
      EPTQualification(access, rights: EPTRights(granted: 0)).rawValue
    }
    #expect(raw(on.tableAccess(update: false, for: GVA(1))) == 0x83)
    #expect(raw(on.tableAccess(update: true, for: GVA(1))) == 0x83)
    #expect(raw(off.tableAccess(update: false, for: GVA(1))) == 0x81)
    #expect(raw(off.tableAccess(update: true, for: GVA(1))) == 0x83)
    #expect(on.tableAccess(update: false, for: GVA(1)).kind == .write)
    #expect(off.tableAccess(update: false, for: GVA(1)).kind == .read)
    // PDPTE loads are reads without a linear address, whatever A/D says.
    #expect(raw(on.tableAccess(update: false, for: nil)) == 0x01)
    #expect(raw(off.tableAccess(update: false, for: nil)) == 0x01)
  }

  @Test("E14 bits 5:3 are the rights of all entries, ANDed")
  func rightsBits() throws {
    for upper in 1...7 as ClosedRange<UInt64> where upper & 3 != 2 {
      for leaf in 1...7 as ClosedRange<UInt64> where leaf & 3 != 2 {
        let path = EPTPath(.width(46), entry: 0x40_0030 | leaf, level: 1, upper: upper)
        for kind in AccessKind.allCases {
          let needed: UInt64 = kind == .read ? 1 : kind == .write ? 2 : 4
          let exit = path.exit(kind)
          #expect((exit == nil) == (upper & leaf & needed != 0))
          guard case .violation(let found)? = exit else { continue }
          #expect(found.qualification.rawValue >> 3 & 7 == upper & leaf)
          #expect(found.qualification.rawValue & 7 == needed)
          #expect(found.gva == GVA(0x123))
          #expect(found.qualification.isFinal)
          #expect(found.isConvertible)
        }
      }
    }
  }

  @Test("E14 bit 6 is user execution, with mode-based execution alone")
  func userExecution() {
    for isOn in [true, false] {
      var cpu = EPTCapabilities.width(46)
      cpu.modeBasedExecution = isOn
      let path = EPTPath(cpu, entry: 0x40_0431, level: 1, upper: 0x407)
      guard case .violation(let found)? = path.exit(.fetch) else {
        Issue.record("supervisor fetch let through")
        return
      }
      #expect(found.qualification.rawValue >> 6 & 1 == (isOn ? 1 : 0))
      let user = path.format.finalAccess(.fetch, isUser: true, for: GVA(0))
      let isLetThrough = if case .success = path.walk(user, Judge()) { true } else { false }
      #expect(isLetThrough == isOn)
    }
  }

  @Test("E14 a table access has bit 7 without bit 8")
  func tableAccess() {
    let access = Self.format(accessedDirty: true).tableAccess(update: false, for: GVA(1))
    let qualification = EPTQualification(access, rights: EPTRights(granted: 5))
    #expect(qualification.isGVAValid)
    #expect(!qualification.isFinal)
    #expect(qualification.rawValue == 0x83 | 5 << 3)
  }
}
