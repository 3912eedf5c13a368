import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86

/// Writes of one vCPU that cross from one page to the next while another vCPU flushes.
///
/// One of the pages is a leaf table out of step, whose writes the MMU does not see. The flush reads it
/// anew; a byte that lands after that in a table that counts as in step is lost for good.
@Suite("Writes across pages that meet a flush")
struct CrossingWriteTests {
  /// What is above or below the leaf table.
  enum Neighbour: CaseIterable, Sendable {
    /// A page that the shadow maps and the vCPU's TLB has not.
    case mapped
    /// A page that nobody has touched.
    case unmapped
    /// A table above the leaves, whose writes software makes.
    case directory
  }

  private static let leafTable: UInt64 = 0x18_1000
  /// What the leaf table maps.
  private static let base: UInt64 = 0x8000_0000
  private static let other: UInt64 = 0xC000_0000

  /// A guest whose neighbour is at `neighbour`, its leaf table out of step.
  private func rig(_ kind: Neighbour, at neighbour: UInt64) throws -> ShadowRig {
    let rig = try WriteTrackingTests.rig(vcpus: 2)
    rig.poke(rig.place(Self.base, level: 2), Self.leafTable | 7)
    for index in [0, 1, 511] as [UInt64] {
      rig.poke(Self.leafTable + index * 8, 0x20_0000 + index << 12 | 0x67)
    }
    if kind == .directory {
      rig.poke(rig.place(Self.other, level: 3), neighbour | 7)
      for index in [0, 511] as [UInt64] { rig.map(Self.other + index << 21, to: 0x30_0000) }
    }
    return rig
  }

  /// A write of 8 bytes, half below the end of a page and half above it, by vCPU 0 of a machine on the
  /// rig's MMU. Where it comes to a moment, vCPU 1 flushes.
  private func write(
    _ rig: ShadowRig, at place: UInt64, _ value: UInt64, _ moment: Gate.Moment, _ kind: Neighbour,
    neighbour: UInt64, unsyncing spare: UInt64
  ) throws {
    let gate = Gate()
    let machine = try Machine(
      guests: [rig.machine.vcpus[0].guest], mmu: GatedMMU(rig.mmu, gate))
    func access(_ kind: AccessKind, _ gva: UInt64, _ value: UInt64 = 0) {
      let report = machine.vcpu(
        0, access: X86Access(kind), at: GVA(gva), size: 8, value: UInt128(value))
      guard case .done = report.outcome else {
        Issue.record("\(kind) at \(gva): \(report.outcome)")
        return
      }
    }
    func window(_ gpa: UInt64) -> UInt64 { WriteTrackingTests.window + (gpa - 0x10_0000) }
    for index in [0, 511] as [UInt64] {
      access(.read, Self.base + index << 12)
      #expect(rig.access(.fetch, Self.base + index << 12, size: 1, vcpu: 1).value == 0)
    }
    switch kind {
    case .directory: for index in [0, 511] as [UInt64] { access(.read, Self.other + index << 21) }
    case .mapped:
      _ = WriteTrackingTests.write(rig, neighbour + 0x800, 0, vcpu: 1)
    case .unmapped: break
    }
    access(.write, window(spare), rig.peek(spare))
    #expect(rig.machine.counters.unsynced + machine.counters.unsynced == 1)
    gate.arm(moment) { [machine = rig.machine, root = rig.root] in
      try? machine.vcpu(1, moveToCR3: root)
    }
    access(.write, window(place), value)
    #expect(gate.finish(), "vCPU 1 has flushed")
    #expect(rig.mmu.audit() == [])
    #expect(rig.peek(place & ~4095 | 0xff8) >> 32 == value & 0xffff_ffff)
    #expect(rig.peek((place & ~4095) + 4096) & 0xffff_ffff == value >> 32)
  }

  @Test(
    "F6 F7 the lower part of a write is in its table before a flush that comes meanwhile reads it",
    .timeLimit(.minutes(15)), arguments: Neighbour.allCases)
  func lowerPart(_ kind: Neighbour) throws {
    let upper = Self.leafTable + 0x1000
    let rig = try rig(kind, at: upper)
    // The high half of the last entry gets XD.
    try write(
      rig, at: Self.leafTable + 0xffc, 0x8000_0000 | (rig.peek(upper) & 0xffff_ffff) << 32, .walk,
      kind, neighbour: upper, unsyncing: Self.leafTable + 8)
    let last = Self.base + 511 << 12
    rig.machine.vcpu(1, invalidatePage: GVA(last))
    guard case .injected(14, 0x11) = rig.access(.fetch, last, size: 1, vcpu: 1).outcome else {
      Issue.record("the page is not executable any more")
      return
    }
  }

  @Test(
    "F6 F7 the upper part of a write is in its table before the MMU hears of the lower part",
    .timeLimit(.minutes(15)))
  func upperPart() throws {
    let lower = Self.leafTable - 0x1000
    let rig = try rig(.directory, at: lower)
    // The low half of the first entry leads elsewhere.
    try write(
      rig, at: lower + 0xffc, 0x20_5067 << 32 | rig.peek(lower + 0xff8) >> 32, .telling,
      .directory, neighbour: lower, unsyncing: Self.leafTable + 8)
    rig.machine.vcpu(1, invalidatePage: GVA(Self.base))
    #expect(rig.access(.read, Self.base, vcpu: 1).gpa == GPA(0x20_5000))
  }

  @Test(
    "F6 F10 a store that is under way is in its page before that is read as a table for the first time",
    .timeLimit(.minutes(15)))
  func newTable() throws {
    let rig = try WriteTrackingTests.rig(vcpus: 2)
    let last = Self.base + 511 << 12
    rig.poke(Self.leafTable + 511 * 8, 0x20_0067)
    rig.poke(rig.place(Self.base, level: 2), Self.leafTable | 0x27)
    let gate = Gate()
    let machine = try Machine(
      guests: [rig.machine.vcpus[0].guest], mmu: GatedMMU(rig.mmu, gate))
    let place = WriteTrackingTests.window + (Self.leafTable + 0xffc - 0x10_0000)
    func write(_ value: UInt128) -> AccessReport<X86Fault> {
      machine.vcpu(0, access: X86Access(.write), at: GVA(place), size: 8, value: value)
    }
    // Both pages are in the TLB, as pages of any kind.
    #expect(write(0).value == 0)
    gate.arm(.moving) { [machine = rig.machine] in
      _ = machine.vcpu(1, access: X86Access(.fetch), at: GVA(last), size: 1)
    }
    // XD.
    #expect(write(0x8000_0000).exits.total == 0)
    #expect(gate.finish(), "vCPU 1 has used the table")
    #expect(rig.mmu.audit() == [])
    rig.machine.vcpu(1, invalidatePage: GVA(last))
    guard case .injected(14, 0x11) = rig.access(.fetch, last, size: 1, vcpu: 1).outcome else {
      Issue.record("the page is not executable any more")
      return
    }
  }
}
