import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86EPT

@Suite("Policies")
struct PolicyTests {
  static func rig(
    _ policy: FramePolicy, executeOnly: Bool = true
  ) throws -> MachineRig<FramePolicy> {
    let rig = try MachineRig(
      policy: policy, slots: [.ram(backing: .size2MiB)],
      capabilities: EPTCapabilities(physicalAddressWidth: 46, executeOnly: executeOnly))
    rig.tables.map(0x4000, to: 0x5000)
    rig.tables.map(0x7000, to: 0x6000)
    return rig
  }

  @Test("H each verdict does what it says, and is an event")
  func verdicts() throws {
    func outcome(_ verdict: FaultVerdict) throws -> AccessReport<X86Fault> {
      let rig = try Self.rig(FramePolicy(verdict: verdict, level: .pageTable))
      let report = rig.access(.read, 0x4000)
      let told = rig.log.events.contains(.verdict(verdict, gpa: GPA(0x5000)))
      #expect(told == (verdict != .proceed))
      #expect(rig.access(.read, 0x7000).hpa != nil, "other frames are not concerned")
      return report
    }
    #expect(try outcome(.proceed).hpa == HPA(16 << 20 | 0x5000))
    let emulated = try outcome(.emulate)
    #expect(emulated.mmio != nil && emulated.hpa == nil)
    #expect(try outcome(.deny).failure == .denied(GPA(0x5000)))
    #expect(try outcome(.exit).failure == .stopped(GPA(0x5000)))
    guard case .injected(13, 7) = try outcome(.inject(vector: 13, errorCode: 7)).outcome else {
      Issue.record("not injected")
      return
    }
  }

  @Test("H4 of a stack the strictest verdict counts, whatever the order")
  func stack() {
    let verdicts: [FaultVerdict] = [
      .proceed, .emulate, .inject(vector: 6, errorCode: 0), .deny, .exit,
    ]
    let fault = FaultInfo(
      gpa: GPA(0x5000), gva: nil, kind: .read, isUser: false, hasSlot: true,
      largestLevel: .directory, vcpu: 0)
    for (first, one) in verdicts.enumerated() {
      for (second, other) in verdicts.enumerated() {
        let stack = PolicyStack([FramePolicy(verdict: one), FramePolicy(verdict: other)])
        #expect(stack.verdict(on: fault) == verdicts[max(first, second)])
      }
    }
    let stack = PolicyStack([
      FramePolicy(withheld: .write, level: .directory, type: .uncacheable),
      FramePolicy(withheld: .execute, level: .pageTable, type: .writeThrough), DefaultPolicy(),
    ])
    #expect(stack.withheldPermissions(gfn: GFN(5)) == [.write, .execute])
    #expect(stack.mappingLevel(for: fault) == .pageTable)
    #expect(stack.memoryType(gfn: GFN(5))?.type == .writeThrough)
    #expect(PolicyStack([]).mappingLevel(for: fault) == .directory)
    let equal = PolicyStack([
      FramePolicy(verdict: .inject(vector: 1, errorCode: 1)),
      FramePolicy(verdict: .inject(vector: 2, errorCode: 2)),
    ])
    #expect(equal.verdict(on: fault) == .inject(vector: 1, errorCode: 1))
  }

  @Test("H withheld permissions are refused, the others granted", arguments: [true, false])
  func withheld(executeOnly: Bool) throws {
    for bits in 0..<8 as Range<UInt8> {
      let withheld = Permissions(rawValue: bits)
      for kind in AccessKind.allCases {
        let rig = try Self.rig(
          FramePolicy(withheld: withheld, level: .pageTable), executeOnly: executeOnly)
        // Hardware has no W without R, and no X without R unless it can.
        var granted = Permissions.all.subtracting(withheld)
        if !granted.contains(.read) {
          granted.remove(.write)
          if !executeOnly { granted.remove(.execute) }
        }
        let report = rig.access(kind, 0x4000)
        if granted.contains(kind.permission) {
          #expect(report.hpa == HPA(16 << 20 | 0x5000), "\(withheld) \(kind)")
        } else {
          #expect(report.failure == .denied(GPA(0x5000)), "\(withheld) \(kind)")
        }
        #expect(rig.access(kind, 0x7000).hpa != nil)
      }
    }
  }

  @Test("H the level is the policy's, never above what is allowed nor below 4 KiB")
  func level() throws {
    for (answer, expected) in [(-3, 1), (0, 1), (1, 1), (2, 2), (3, 2), (99, 2)] {
      let rig = try Self.rig(FramePolicy(level: Level(answer)))
      _ = rig.access(.read, 0x4000)
      #expect(rig.leaf(0x5000)?.level == expected)
    }
  }

  @Test("H the memory type is the policy's")
  func memoryType() throws {
    for type in MemoryType.allCases {
      let rig = try Self.rig(FramePolicy(level: .pageTable, type: type))
      _ = rig.access(.read, 0x4000)
      let leaf = try #require(rig.leaf(0x5000)).entry
      #expect(leaf >> 3 & 7 == UInt64(type.rawValue))
      #expect(leaf >> 6 & 1 == 0)
      _ = rig.access(.read, 0x7000)
      #expect(rig.leaf(0x6000).map { $0.entry >> 3 & 15 } == 14)
    }
  }
}
