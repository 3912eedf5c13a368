import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86EPT
import X86NPT

@Suite("#VE of a guest's guest")
struct NestedExceptionTests {
  private typealias Rig = NestedRig<EPTEncoder>
  private static let page: UInt64 = 0x8000

  private static func rig() throws -> Rig {
    let rig = try Rig(EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    rig.machine.vcpu(1, takesExceptionsIn: Rig.exceptionArea)
    return rig
  }

  /// The area as memory holds it.
  private static func area(_ rig: Rig) -> VirtualizationExceptionArea? {
    VirtualizationExceptionArea(
      bytes: rig.memory.view.read(Rig.exceptionArea, count: VirtualizationExceptionArea.size))
  }

  @Test(
    "E15 F15 an entry with bit 63 clear makes the violation a #VE, with one set it is the hypervisor's",
    arguments: [
      // Not present; read-only for a write; unmapped for a fetch.
      (0, AccessKind.read, 0x181), (1 << 63, .read, 0x181), (0x20_8031, .write, 0x18A),
      (1 << 63 | 0x20_8031, .write, 0x18A), (0x20_8033, .fetch, 0x19C),
    ] as [(UInt64, AccessKind, UInt64)])
  func suppression(entry: UInt64, kind: AccessKind, qualification: UInt64) throws {
    let rig = try Self.rig()
    rig.poke(rig.entry(Self.page, level: 1), entry)
    let report = rig.access(kind, Self.page)
    if entry >> 63 == 1 {
      #expect(
        NestedOutcome(report)
          == .reflected(
            ReflectedExit(
              cause: .eptViolation, information: qualification, gpa: GPA(Self.page),
              gva: GVA(Self.page))))
      #expect(rig.memory.view.read(Rig.exceptionArea, count: 34).allSatisfy { $0 == 0 })
      return
    }
    let expected = VirtualizationExceptionArea(
      qualification: qualification, gva: Self.page, gpa: Self.page, eptpIndex: 0)
    #expect(rig.outcome(report) == .exception(expected))
    #expect(Self.area(rig) == expected)
    #expect(expected.busyWord == .max && expected.reason == 48)
    #expect(report.exits[.virtualizationException] == 0)
  }

  @Test("E15 F15 while the busy word is set the next violation is an exit; cleared, a #VE again")
  func busy() throws {
    let rig = try Self.rig()
    rig.poke(rig.entry(Self.page, level: 1), 0)
    #expect(rig.outcome(rig.access(.read, Self.page)).isException)
    #expect(!rig.outcome(rig.access(.read, Self.page)).isException)
    rig.clearBusyWord()
    #expect(rig.outcome(rig.access(.write, Self.page)).isException)
    #expect(Self.area(rig)?.qualification == 0x182)
  }

  @Test("E14 E15 F15 a table of the inner guest: the #VE tells of the access to the entry")
  func tableAccess() throws {
    let rig = try Self.rig()
    rig.poke(rig.entry(0x4000, level: 1), 0)
    let outcome = rig.outcome(rig.access(.read, Self.page))
    #expect(
      outcome
        == .exception(
          VirtualizationExceptionArea(
            qualification: 0x83, gva: Self.page, gpa: 0x4040, eptpIndex: 0)))
  }

  @Test("E15 F15 a misconfiguration is never a #VE, and none comes in real mode or without an area")
  func neverConverted() throws {
    let rig = try Self.rig()
    let leaf = rig.entry(Self.page, level: 1)
    rig.poke(leaf, 0x20_8032)
    #expect(
      NestedOutcome(rig.access(.read, Self.page))
        == .reflected(
          ReflectedExit(
            cause: .eptMisconfiguration, information: 0, gpa: GPA(Self.page), gva: nil)))
    rig.poke(leaf, 0)
    rig.machine.vcpu(1, takesExceptionsIn: nil)
    #expect(!rig.outcome(rig.access(.read, Self.page)).isException)
    // Where no memory is nothing can be told.
    rig.machine.vcpu(1, takesExceptionsIn: GPA(Rig.hole))
    #expect(!rig.outcome(rig.access(.read, Self.page)).isException)
    rig.machine.vcpu(1, takesExceptionsIn: Rig.exceptionArea)
    try rig.machine.vcpu(1, moveToCR0: [])
    let real = rig.machine.vcpu(1, access: X86Access(.read), at: GVA(Self.page), size: 8)
    #expect(!rig.outcome(real).isException)
    #expect(Self.area(rig)?.busyWord == 0)
  }

  @Test("E15 F15 an access to a device whose tables refuse, and one across two pages, too")
  func emulated() throws {
    let rig = try Self.rig()
    // The inner guest's table is in a read-only slot: software walks it.
    rig.poke(rig.entry(Self.page + 0x1000, level: 1), 0)
    let across = rig.machine.vcpu(
      1, access: X86Access(.write), at: GVA(Self.page + 0xFFC), size: 8, value: .max)
    #expect(
      rig.outcome(across)
        == .exception(
          VirtualizationExceptionArea(
            qualification: 0x182, gva: Self.page + 0x1000, gpa: Self.page + 0x1000,
            eptpIndex: 0)))
    // Nothing of it was written.
    #expect(rig.peek(0x20_8FF8) == 0)
  }
}

extension NestedOutcome {
  /// Whether it is a #VE.
  var isException: Bool {
    if case .exception = self { return true }
    return false
  }
}
