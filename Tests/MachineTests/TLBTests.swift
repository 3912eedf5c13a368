import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86
import X86Guest

@Suite("TLB")
struct TLBTests {
  static let globalFlags: UInt64 = 0x107

  /// Whether an access of vCPU 0 was answered by the TLB.
  static func isHit<Policy>(
    _ rig: MachineRig<Policy>, _ gva: UInt64, _ kind: AccessKind = .read, user: Bool = false
  ) -> Bool {
    let report = rig.access(kind, gva, user: user)
    #expect(report.value != nil)
    return report.isTLBHit
  }

  @Test("a second access hits, and hits and misses are counted")
  func hit() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    #expect(!Self.isHit(rig, 0x4000))
    #expect(Self.isHit(rig, 0x4008))
    #expect(!Self.isHit(rig, 0x4000, .write), "D is not set yet")
    #expect(Self.isHit(rig, 0x4000, .write))
    #expect(rig.machine.vcpus[0].tlbHits == 2)
    #expect(rig.machine.vcpus[0].tlbMisses == 2)
  }

  @Test("W11 a write that hits a clean entry walks again and sets D")
  func dirty() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    let leaf = rig.tables.place(0x4000, level: 1)
    _ = rig.access(.read, 0x4000)
    #expect(rig.tables.peek(leaf) & 0x60 == 0x20)
    _ = rig.access(.write, 0x4000)
    #expect(rig.tables.peek(leaf) & 0x60 == 0x60)
  }

  @Test("W16 INVLPG drops the page, after which the tables decide")
  func invalidatePage() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    _ = rig.access(.write, 0x4000, value: 5)
    rig.tables.map(0x4000, to: 0x6000)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x5000), "the old translation is cached")
    rig.machine.vcpu(0, invalidatePage: GVA(0x4FFF))
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x6000))
    // A permission taken away shows after INVLPG too.
    _ = rig.access(.write, 0x4000)
    rig.tables.map(0x4000, to: 0x6000, flags: 5)
    #expect(rig.access(.write, 0x4000).value != nil)
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    #expect(rig.access(.write, 0x4000).fault?.errorCode == [.present, .write])
  }

  @Test("W16 INVLPG of one address drops every fragment of its large page", arguments: [2, 3])
  func fragments(level: Int) throws {
    let rig = try MachineRig()
    let base: UInt64 = 0x4000_0000
    rig.tables.map(base, to: 0, level: level)
    rig.tables.map(0x8000_0000, to: 0x5000)
    let fragments: [UInt64] = [0, 0x1000, 0x7000, 0x1F_F000]
    for offset in fragments { _ = rig.access(.read, base + offset) }
    _ = rig.access(.read, 0x8000_0000)
    for offset in fragments { #expect(Self.isHit(rig, base + offset)) }
    rig.machine.vcpu(0, invalidatePage: GVA(base + 0x3000))
    for offset in fragments { #expect(!Self.isHit(rig, base + offset), "\(offset)") }
    #expect(Self.isHit(rig, 0x8000_0000), "another page stays")
  }

  @Test("W16 MOV CR3 keeps globals; MOV CR4 that changes PGE drops them")
  func globals() throws {
    let rig = try MachineRig { $0.cr4.insert(.globalPages) }
    rig.tables.map(0x4000, to: 0x5000, flags: Self.globalFlags)
    rig.tables.map(0x7000, to: 0x6000)
    for gva: UInt64 in [0x4000, 0x7000] { _ = rig.access(.read, gva) }
    try rig.machine.vcpu(0, moveToCR3: 0x10_0000)
    #expect(Self.isHit(rig, 0x4000))
    #expect(!Self.isHit(rig, 0x7000))
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    #expect(!Self.isHit(rig, 0x4000), "INVLPG drops globals")
    let cr4 = rig.machine.vcpus[0].guest.registers.cr4
    try rig.machine.vcpu(0, moveToCR4: cr4.symmetricDifference(.globalPages))
    #expect(!Self.isHit(rig, 0x4000))
    #expect(!Self.isHit(rig, 0x7000))
    try rig.machine.vcpu(0, moveToCR3: 0x10_0000)
    #expect(!Self.isHit(rig, 0x4000), "without PGE nothing is global")
  }

  @Test("W16 PCIDs keep their translations apart; bit 63 keeps those of the new one")
  func pcids() throws {
    let rig = try MachineRig { $0.cr4.insert([.processContextIdentifiers, .globalPages]) }
    rig.tables.map(0x4000, to: 0x5000)
    rig.tables.map(0x7000, to: 0x6000, flags: Self.globalFlags)
    for gva: UInt64 in [0x4000, 0x7000] { _ = rig.access(.read, gva) }
    try rig.machine.vcpu(0, moveToCR3: 0x10_0001)
    #expect(!Self.isHit(rig, 0x4000), "PCID 0's entry is not PCID 1's")
    #expect(Self.isHit(rig, 0x7000), "a global is everybody's")
    try rig.machine.vcpu(0, moveToCR3: 1 << 63 | 0x10_0000)
    #expect(rig.machine.vcpus[0].guest.registers.cr3 == 0x10_0000)
    #expect(Self.isHit(rig, 0x4000), "bit 63 keeps")
    // INVLPG concerns the current PCID alone.
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    try rig.machine.vcpu(0, moveToCR3: 1 << 63 | 0x10_0001)
    #expect(Self.isHit(rig, 0x4000))
    try rig.machine.vcpu(0, moveToCR3: 0x10_0001)
    #expect(!Self.isHit(rig, 0x4000), "without bit 63 the new PCID's are dropped")
    #expect(Self.isHit(rig, 0x7000))
    let cr4 = rig.machine.vcpus[0].guest.registers.cr4
    try rig.machine.vcpu(0, moveToCR3: 1 << 63 | 0x10_0000)
    try rig.machine.vcpu(0, moveToCR4: cr4.subtracting(.processContextIdentifiers))
    #expect(!Self.isHit(rig, 0x7000), "PCIDE 1 to 0 drops everything")
  }

  @Test("W16 SMEP 0 to 1 drops the current PCID, other bits nothing")
  func smep() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    let cr4 = rig.machine.vcpus[0].guest.registers.cr4
    _ = rig.access(.read, 0x4000)
    try rig.machine.vcpu(0, moveToCR4: cr4.union(.supervisorAccessPrevention))
    #expect(rig.access(.read, 0x4000).fault?.errorCode == [.present])
    try rig.machine.vcpu(0, moveToCR4: cr4)
    _ = rig.access(.read, 0x4000)
    #expect(Self.isHit(rig, 0x4000))
    try rig.machine.vcpu(0, moveToCR4: cr4.union(.supervisorExecutionPrevention))
    #expect(!Self.isHit(rig, 0x4000))
    try rig.machine.vcpu(0, moveToCR4: cr4)
    #expect(Self.isHit(rig, 0x4000))
    try rig.machine.vcpu(0, moveToCR0: [.protectionEnable, .paging])
    #expect(Self.isHit(rig, 0x4000), "WP is judged at each access")
  }

  @Test("W16 turning paging off and on leaves no translation of the other mode")
  func pagingOff() throws {
    let rig = try MachineRig {
      $0.cr0.remove(.paging); $0.efer = [.noExecuteEnable]
    }
    rig.tables.map(0x4000, to: 0x5000)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x4000))
    rig.machine.vcpu(0, moveToEFER: [.longModeEnable, .noExecuteEnable])
    try rig.machine.vcpu(0, moveToCR0: [.protectionEnable, .paging, .writeProtect])
    #expect(rig.machine.vcpus[0].guest.registers.mode == .long4)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x5000))
    try rig.machine.vcpu(0, moveToCR0: [.protectionEnable])
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x4000))
  }

  @Test("WRMSR to EFER cannot change LMA")
  func longModeActive() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    rig.machine.vcpu(0, moveToEFER: [.longModeEnable])
    #expect(rig.machine.vcpus[0].guest.registers.mode == .long4)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x5000))
  }

  @Test("W1 W16 tagged pointers share the entry of the address without its tag")
  func tags() throws {
    let rig = try MachineRig { $0.cr3 |= 1 << 62 }
    rig.tables.map(0x4000, to: 0x5000)
    _ = rig.access(.read, 0x4000)
    #expect(Self.isHit(rig, 0x00AB_0000_0000_4000))
    rig.tables.map(0x4000, to: 0x6000)
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    #expect(rig.access(.read, 0x00AB_0000_0000_4000).gpa == GPA(0x6000))
    #expect(rig.access(.fetch, 0x00AB_0000_0000_4000).fault?.vector == 13)
  }

  @Test("W20 LASS is judged before the TLB")
  func lass() throws {
    let rig = try MachineRig {
      $0.cr4.insert([.linearAddressSpaceSeparation, .supervisorAccessPrevention])
    }
    let upper: UInt64 = 0xFFFF_8000_0000_4000
    rig.tables.map(upper, to: 0x5000)
    func access(_ access: X86Access, _ gva: UInt64) -> X86Fault? {
      rig.machine.vcpu(0, access: access, at: GVA(gva), size: 4).fault
    }
    #expect(access(X86Access(.read, alignmentCheck: true), upper) == nil)
    #expect(access(X86Access(.read, user: true), upper)?.vector == 13)
    // A supervisor page in the lower half.
    rig.tables.map(0x7000, to: 0x6000, flags: 3)
    #expect(access(X86Access(.read, alignmentCheck: true), 0x7000) == nil)
    #expect(access(X86Access(.read), 0x7000)?.vector == 13)
    #expect(access(X86Access(.fetch), 0x7000)?.vector == 13)
  }

  @Test("W8 a hit is judged for the access at hand")
  func judged() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000, flags: 1 << 63 | 3)
    _ = rig.access(.write, 0x4000)
    #expect(rig.access(.read, 0x4000, user: true).fault?.errorCode == [.present, .user])
    #expect(rig.access(.fetch, 0x4000).fault?.errorCode == [.present, .fetch])
  }

  @Test("W16 a page fault drops the address's own entry")
  func faultDrops() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000, flags: 5)
    _ = rig.access(.read, 0x4000)
    #expect(rig.access(.write, 0x4000).fault != nil)
    #expect(!Self.isHit(rig, 0x4000))
    // The guest's handler allows the write; no INVLPG is needed.
    rig.tables.map(0x4000, to: 0x5000)
    #expect(rig.access(.write, 0x4000).value != nil)
  }

  @Test("any geometry evicts and goes on", arguments: [(1, 1), (4, 4), (512, 512), (64, 2)])
  func geometries(entries: Int, ways: Int) throws {
    let geometry = try #require(TLBGeometry(entries: entries, ways: ways))
    let rig = try MachineRig(tlb: geometry)
    for page in 0..<1500 as Range<UInt64> { rig.tables.map(page << 12, to: 0x20_0000 + page << 12) }
    for _ in 0..<2 {
      for page in 0..<1500 as Range<UInt64> {
        #expect(rig.access(.read, page << 12).gpa == GPA(0x20_0000 + page << 12))
      }
    }
    #expect(Self.isHit(rig, 1499 << 12))
  }

  @Test("shapes that cannot be are refused")
  func badGeometries() {
    for (entries, ways) in [(0, 1), (1, 0), (3, 1), (4, 3), (4, 8), (1 << 21, 1), (-4, 1)] {
      #expect(TLBGeometry(entries: entries, ways: ways) == nil)
    }
  }
}
