import MMU
import Machine
import Paging
import Testing
import X86EPT
import X86NPT

/// What the hypervisor's tables hold for the page that the inner guest uses, and what must follow.
struct ReflectionCase: Sendable, CustomTestStringConvertible {
  var what: String
  var kind: AccessKind
  var entry: UInt64
  /// The exit qualification or EXITINFO1 that the hypervisor gets; `nil` where it gets none.
  var information: UInt64?
  var isMisconfiguration = false
  var testDescription: String { what }
}

@Suite("Faults of a guest's guest")
struct ReflectionTests {
  static let page: UInt64 = 0x8000
  static let eptCases = [
    ReflectionCase(what: "not present, read", kind: .read, entry: 0, information: 0x181),
    ReflectionCase(what: "not present, write", kind: .write, entry: 0, information: 0x182),
    ReflectionCase(what: "not present, fetch", kind: .fetch, entry: 0, information: 0x184),
    ReflectionCase(what: "rwx, write", kind: .write, entry: 0x337, information: nil),
    ReflectionCase(what: "r-x, read", kind: .read, entry: 0x335, information: nil),
    ReflectionCase(what: "r-x, write", kind: .write, entry: 0x335, information: 0x1AA),
    ReflectionCase(what: "r--, fetch", kind: .fetch, entry: 0x331, information: 0x18C),
    ReflectionCase(what: "rw-, fetch", kind: .fetch, entry: 0x333, information: 0x19C),
    ReflectionCase(what: "--x, fetch", kind: .fetch, entry: 0x334, information: nil),
    ReflectionCase(what: "--x, read", kind: .read, entry: 0x334, information: 0x1A1),
    ReflectionCase(what: "--x, write", kind: .write, entry: 0x334, information: 0x1A2),
    ReflectionCase(
      what: "W without R", kind: .read, entry: 0x336, information: 0, isMisconfiguration: true),
    ReflectionCase(
      what: "memory type 2", kind: .read, entry: 0x317, information: 0, isMisconfiguration: true),
    ReflectionCase(
      what: "bit 51", kind: .write, entry: 1 << 51 | 0x337, information: 0,
      isMisconfiguration: true),
  ]
  static let nptCases = [
    ReflectionCase(
      what: "not present, read", kind: .read, entry: 0, information: 0x1_0000_0004),
    ReflectionCase(
      what: "not present, write", kind: .write, entry: 0, information: 0x1_0000_0006),
    ReflectionCase(
      what: "not present, fetch", kind: .fetch, entry: 0, information: 0x1_0000_0014),
    ReflectionCase(what: "rw, write", kind: .write, entry: 0x67, information: nil),
    ReflectionCase(
      what: "read-only, write", kind: .write, entry: 0x65, information: 0x1_0000_0007),
    ReflectionCase(
      what: "NX, fetch", kind: .fetch, entry: 1 << 63 | 0x67, information: 0x1_0000_0015),
    ReflectionCase(
      what: "supervisor, read", kind: .read, entry: 0x63, information: 0x1_0000_0005),
    ReflectionCase(
      what: "bit 51, read", kind: .read, entry: 1 << 51 | 0x67, information: 0x1_0000_000D),
  ]
  /// What the memslots say of the page, by where the entry leads.
  static let places: [(place: UInt64, isMMIO: @Sendable (AccessKind) -> Bool)] = [
    (0x20_8000, { _ in false }), (NestedRig<EPTEncoder>.readOnly, { $0 == .write }),
    (NestedRig<EPTEncoder>.hole, { _ in true }),
  ]

  private func check<Encoder: NestedTables>(
    _ item: ReflectionCase, on rig: NestedRig<Encoder>, gva: GVA?
  ) throws {
    rig.boot()
    for (place, isMMIO) in Self.places {
      let entry = item.entry == 0 ? 0 : item.entry | place
      rig.poke(rig.entry(Self.page, level: 1), entry)
      _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
      for attempt in 0..<3 {
        let outcome = NestedOutcome(rig.access(item.kind, Self.page + 0x10))
        let gpa = GPA(place + 0x10)
        if let information = item.information {
          let cause: ExitCause =
            Encoder.self == NPTEncoder.self
            ? .nestedPageFault : item.isMisconfiguration ? .eptMisconfiguration : .eptViolation
          #expect(
            outcome
              == .reflected(
                ReflectedExit(
                  cause: cause, information: information, gpa: GPA(Self.page + 0x10),
                  gva: item.isMisconfiguration ? nil : gva,
                  isConvertible: cause == .eptViolation)), "\(place) \(attempt)")
        } else {
          #expect(outcome == (isMMIO(item.kind) ? .mmio(gpa) : .memory(gpa)), "\(attempt)")
        }
      }
      #expect(rig.mmu.audit() == [])
    }
  }

  @Test("F15 E14 an EPT entry of the hypervisor's decides, then the memslots", arguments: eptCases)
  func ept(item: ReflectionCase) throws {
    let capabilities = EPTCapabilities(physicalAddressWidth: 46)
    try check(item, on: NestedRig(EPTEncoder(capabilities)), gva: GVA(Self.page + 0x10))
  }

  @Test(
    "F15 E12 a nested entry of the hypervisor's decides, then the memslots", arguments: nptCases)
  func npt(item: ReflectionCase) throws {
    let capabilities = NPTCapabilities(physicalAddressWidth: 46)
    try check(item, on: NestedRig(NPTEncoder(capabilities)), gva: nil)
  }

  /// The rights of two levels, and the table access that a walk makes.
  static let tableCases: [(marking: Bool, entry: UInt64, information: UInt64?)] = [
    // With A and D on a walk writes, off it reads; the entries' A is set already.
    (true, 0x335, 0xAB), (false, 0x35, nil), (true, 0, 0x83), (false, 0, 0x81),
    (true, 0x334, 0xA3), (false, 0x34, 0xA1),
  ]

  @Test("F15 E14 a walk's access to the inner guest's tables is judged", arguments: tableCases)
  func tableAccess(marking: Bool, entry: UInt64, information: UInt64?) throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot(marking: marking)
    rig.poke(0x20_4000 + 8 * 8, Self.page | 0x67)
    rig.poke(rig.entry(0x4000, level: 1), entry == 0 ? 0 : entry | 0x20_4000)
    _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
    let outcome = NestedOutcome(rig.access(.read, Self.page))
    if let information {
      #expect(
        outcome
          == .reflected(
            ReflectedExit(
              cause: .eptViolation, information: information, gpa: GPA(0x4040),
              gva: GVA(Self.page), isConvertible: true)))
    } else {
      #expect(outcome == .memory(GPA(0x20_8000)))
    }
  }

  @Test(
    "T9 F17 a pool with room for one path of tables serves a walk that stays in it",
    arguments: 4...9)
  func smallPool(limit: Int) throws {
    let rig = try NestedRig(
      EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), tablePages: limit)
    rig.boot()
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F15 E14 an update of A is reported as read and write, with A and D off")
  func tableUpdate() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot(marking: false)
    rig.poke(rig.entry(0x4000, level: 1), 0x35 | 0x20_4000)
    let outcome = NestedOutcome(rig.access(.read, Self.page))
    #expect(
      outcome
        == .reflected(
          ReflectedExit(
            cause: .eptViolation, information: 0xAB, gpa: GPA(0x4040), gva: GVA(Self.page),
            isConvertible: true)))
  }

  @Test("F15 E12 a walk's access is a user write, told by bit 33", arguments: [0, 0x65 as UInt64])
  func nptTableAccess(entry: UInt64) throws {
    let rig = try NestedRig(NPTEncoder(NPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    rig.poke(rig.entry(0x4000, level: 1), entry == 0 ? 0 : entry | 0x20_4000)
    let outcome = NestedOutcome(rig.access(.read, Self.page))
    #expect(
      outcome
        == .reflected(
          ReflectedExit(
            cause: .nestedPageFault, information: 2 << 32 | (entry == 0 ? 6 : 7),
            gpa: GPA(0x4040), gva: nil)))
  }

  @Test("F15 E14 rights are those of all entries together")
  func foldedRights() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    let directory = rig.entry(0, level: 2)
    rig.poke(directory, rig.peek(directory) & ~7 | 5)
    // A table of the inner guest would need W: its own entries are marked, and A/D is off.
    _ = rig.machine.vcpu(1, selectSecondLevel: NestedRig<EPTEncoder>.pointer(marking: false))
    for page in [1, 2, 3, 4] as [UInt64] {
      for index in 0..<512 as Range<UInt64> where rig.peek(0x20_0000 + page << 12 + index * 8) != 0
      {
        let place = 0x20_0000 + page << 12 + index * 8
        rig.poke(place, rig.peek(place) | 0x60)
      }
    }
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
    #expect(
      NestedOutcome(rig.access(.write, Self.page))
        == .reflected(
          ReflectedExit(
            cause: .eptViolation, information: 0x1AA, gpa: GPA(Self.page), gva: GVA(Self.page),
            isConvertible: true)))
  }

  @Test("F15 the inner guest's own refusal is its page fault, and no exit")
  func innerFault() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    _ = rig.access(.read, Self.page)
    rig.poke(0x20_4000 + 8 * 8, 0)
    rig.machine.vcpu(1, invalidatePage: GVA(Self.page))
    let report = rig.access(.read, Self.page)
    #expect(NestedOutcome(report) == .fault(14, 0))
    #expect(report.exits.total == 0)
  }

  @Test("F15 an address past the walk's width, and tables in no memory, are violations")
  func beyondTables() throws {
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    rig.poke(rig.entry(0, level: 2), NestedRig<EPTEncoder>.hole | 7)
    _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
    #expect(
      NestedOutcome(rig.access(.read, Self.page))
        == .reflected(
          ReflectedExit(
            cause: .eptViolation, information: 0x83, gpa: GPA(0x1000), gva: GVA(Self.page),
            isConvertible: true)))
    let nowhere = EPTEncoder.pointer(NestedRig<EPTEncoder>.hole, marking: true)
    #expect(rig.machine.vcpu(1, selectSecondLevel: nowhere))
    #expect(
      NestedOutcome(rig.access(.read, Self.page))
        == .reflected(
          ReflectedExit(
            cause: .eptViolation, information: 0x83, gpa: GPA(0x1000), gva: GVA(Self.page),
            isConvertible: true)))
  }

  @Test("E13 a pointer with which VM entry fails changes nothing")
  func badPointers() throws {
    let narrow = EPTFormat(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false))
    let rig = try NestedRig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), inner: narrow)
    rig.boot(marking: false)
    for bad in [0x10_0026, 0x10_001F, 0x10_005E, 0x10_081E, 1 << 50 | 0x1E] as [UInt64] {
      #expect(!rig.machine.vcpu(1, selectSecondLevel: bad))
      #expect(!rig.machine.vcpu(1, invalidateSecondLevel: bad))
    }
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
    #expect(throws: CompositionError.self) {
      _ = try NestedRig(
        EPTEncoder(EPTCapabilities(physicalAddressWidth: 46, accessedDirty: false)),
        inner: EPTFormat(EPTCapabilities(physicalAddressWidth: 46)))
    }
  }
}
