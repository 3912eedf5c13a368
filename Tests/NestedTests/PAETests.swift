import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86NPT

@Suite("The PAE form of NPT inside a guest")
struct NestedPAETests {
  private typealias Rig = NestedRig<NPTEncoder>
  private static let page: UInt64 = 0x8000
  /// Four entries that are no whole page, twice in one page.
  private static let first: UInt64 = 0x10_0020
  private static let second: UInt64 = 0x10_0FE0

  /// A rig whose inner guest has the 2 MiB from 0, by each of two tables of four entries.
  private static func rig(_ form: NPTCapabilities.Form = .long4) throws -> Rig {
    let rig = try Rig(
      NPTEncoder(NPTCapabilities(physicalAddressWidth: 46, form: form)),
      inner: NPTFormat(NPTCapabilities(physicalAddressWidth: 46, form: .pae)))
    // Directories at 0x101000 and 0x102000, which lead to the same leaf table.
    for (root, directory) in [(first, 0x10_1000), (second, 0x10_2000)] as [(UInt64, UInt64)] {
      rig.poke(root, directory | 1)
      rig.poke(directory, 0x10_3007)
    }
    for index in 0..<512 as Range<UInt64> {
      rig.poke(0x10_3000 + index * 8, (0x20_0000 + index << 12) | 0x67)
    }
    rig.poke(0x20_1000, 0x2067)
    rig.poke(0x20_2000, 0x3067)
    rig.poke(0x20_3000, 0x4067)
    for index in 0..<512 as Range<UInt64> { rig.poke(0x20_4000 + index * 8, index << 12 | 0x67) }
    #expect(rig.machine.vcpu(1, selectSecondLevel: first))
    return rig
  }

  private static func expectReference(
    _ rig: Rig, _ kind: AccessKind, _ gva: UInt64, pointer: UInt64 = first
  ) -> NestedOutcome {
    let expected = rig.reference(
      kind, gva, pointer: pointer, in: SlotMemory(rig.memory.view))
    let outcome = NestedOutcome(rig.access(kind, gva))
    #expect(outcome == expected, "\(kind) at \(GVA(gva))")
    #expect(rig.mmu.audit() == [])
    return outcome
  }

  @Test("E12 F15 tables of three levels are followed under four and five", arguments: [4, 5])
  func follows(levels: Int) throws {
    let rig = try Self.rig(levels == 4 ? .long4 : .long5)
    #expect(Self.expectReference(rig, .write, Self.page) == .memory(GPA(0x20_8000)))
    #expect(Self.expectReference(rig, .fetch, Self.page + 8) == .memory(GPA(0x20_8008)))
  }

  @Test(
    "E12 F15 what the four entries refuse is reflected: not present, and each reserved bit",
    arguments: [0, 3, 5, 0x21, 0x41, 0x81, 0x101, 1 << 46 | 1, 1 << 63 | 1] as [UInt64])
  func refusals(bits: UInt64) throws {
    let rig = try Self.rig()
    // The page of linear address 0x9000 is at the third GiB.
    rig.poke(0x20_4000 + 9 * 8, 0x8000_0000 | 0x67)
    rig.poke(Self.first + 2 * 8, bits == 0 ? 0 : bits | 0x10_1000)
    let outcome = Self.expectReference(rig, .read, 0x9000)
    #expect(
      outcome
        == .reflected(
          ReflectedExit(
            cause: .nestedPageFault, information: 1 << 32 | (bits == 0 ? 4 : 0xD),
            gpa: GPA(0x8000_0000), gva: nil)))
  }

  @Test("E12 F15 an address of more than 32 bits is not there, whatever the processor's own width")
  func beyondWidth() throws {
    let rig = try Self.rig()
    rig.poke(0x20_4000 + 9 * 8, 1 << 32 | 0x8067)
    #expect(
      Self.expectReference(rig, .read, 0x9000)
        == .reflected(
          ReflectedExit(
            cause: .nestedPageFault, information: 1 << 32 | 4, gpa: GPA(1 << 32 | 0x8000),
            gva: nil)))
  }

  @Test("E12 F15 two tables in one page are two, and a write to one's entry changes it alone")
  func twoInOnePage() throws {
    let rig = try Self.rig()
    rig.poke(0x20_4000 + 9 * 8, 0x4000_8000 | 0x67)
    for (root, directory) in [(Self.first, 0x10_1001), (Self.second, 0x10_2001)]
      as [(UInt64, UInt64)]
    {
      rig.poke(root + 8, directory)
      #expect(rig.machine.vcpu(1, selectSecondLevel: root))
      #expect(
        Self.expectReference(rig, .write, 0x9000, pointer: root) == .memory(GPA(0x20_8000)))
    }
    // The second one's entry for the second GiB goes; the first one's stays.
    rig.hypervisorWrites(Self.second + 8, 0)
    #expect(rig.machine.vcpu(1, invalidateSecondLevel: nil))
    #expect(Self.expectReference(rig, .read, 0x9000, pointer: Self.second).isReflected)
    #expect(rig.machine.vcpu(1, selectSecondLevel: Self.first))
    #expect(Self.expectReference(rig, .read, 0x9000) == .memory(GPA(0x20_8000)))
  }

  @Test("E12 nCR3 names 32 bytes below 4 GiB, and bits 4:0 are none of its address")
  func pointers() throws {
    let rig = try Self.rig()
    #expect(!rig.machine.vcpu(1, selectSecondLevel: 1 << 32 | Self.first))
    #expect(rig.machine.vcpu(1, selectSecondLevel: Self.first | 0x18))
    #expect(Self.expectReference(rig, .read, Self.page) == .memory(GPA(0x20_8000)))
  }

  @Test("F15 the hypervisor's tables are written through the four entries, which have no rights")
  func editing() throws {
    let rig = try Self.rig()
    var next = GPA(0x11_0000)
    for page in [0x4020_0000, 0xC000_0000, 0x4020_1000] as [UInt64] {
      let isMapped = try rig.mmu.map(
        GPA(page), to: GPA(0x20_8000), length: 4096, pageSize: .size4KiB,
        permissions: [.read, .write], pointer: Self.first
      ) {
        defer { next = next.wrappingAdd(4096) }
        return next
      }
      #expect(isMapped)
      rig.poke(0x20_4000 + 9 * 8, page | 0x67)
      rig.machine.vcpu(1, invalidatePage: GVA(0x9000))
      #expect(Self.expectReference(rig, .write, 0x9000) == .memory(GPA(0x20_8000)))
    }
    #expect(rig.peek(Self.first + 8) & 0xFFF == 1)
  }
}

extension NestedOutcome {
  /// Whether the hypervisor gets an exit.
  var isReflected: Bool {
    if case .reflected = self { return true }
    return false
  }
}
