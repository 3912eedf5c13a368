import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86Shadow

@Suite("Write tracking and sync")
struct WriteTrackingTests {
  /// A guest that sees its own tables (1 MiB to 2 MiB of memory) at `window`.
  static let window: UInt64 = 0x4000_0000

  static func rig(
    _ mode: X86Mode = .long4, options: ShadowOptions = ShadowOptions(prefetchWindow: 1),
    vcpus: Int = 1
  ) throws -> ShadowRig {
    let rig = try ShadowRig(mode, vcpus: vcpus, options: options)
    rig.mapWindow(at: window, pages: 256)
    return rig
  }

  /// The guest writes an entry through its window.
  static func write(
    _ rig: ShadowRig, _ gpa: UInt64, _ value: UInt64, size: Int? = nil, vcpu: Int = 0
  ) -> AccessReport<X86Fault> {
    rig.access(
      .write, window + (gpa - 0x10_0000), size: size ?? Int(rig.entrySize), value: UInt128(value),
      vcpu: vcpu)
  }

  @Test("F6 a leaf table goes out of step at its first write and back in step at MOV CR3")
  func unsync() throws {
    let rig = try Self.rig()
    rig.map(0x4000, to: 0x20_0000)
    let place = rig.place(0x4000)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(Self.write(rig, place, 0x20_1007).exits[.shadowPageFault] > 0)
    #expect(rig.machine.counters.unsynced == 1)
    // The guest has not flushed: the old page may still be used, and further writes do not exit.
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(Self.write(rig, place + 8, 0x20_2007).exits.total == 0)
    #expect(rig.mmu.audit() == [])
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    #expect(rig.machine.counters.synced == 1)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_1000))
    #expect(rig.access(.read, 0x5000).gpa == GPA(0x20_2000))
    #expect(rig.mmu.audit() == [])
    // In step, its writes are seen again.
    #expect(Self.write(rig, place, 0x20_3067).exits[.shadowPageFault] == 1)
  }

  @Test("F6 a table that another root links anew brings the tables below it in step")
  func linkedAnew() throws {
    let rig = try Self.rig(vcpus: 2)
    rig.map(0x4000, to: 0x20_0000)
    let place = rig.place(0x4000)
    let entry = rig.peek(rig.root)
    // Another root, in which the window is and the table is not.
    let other: UInt64 = 0x18_0000
    rig.mapWindow(at: 1 << 39, pages: 256)
    rig.poke(other + 8, rig.peek(rig.root + 8))
    try rig.machine.vcpu(1, moveToCR3: other)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    func write(_ gpa: UInt64, _ value: UInt64) {
      let report = rig.access(
        .write, (1 << 39) + (gpa - 0x10_0000), value: UInt128(value), vcpu: 1)
      #expect(report.gpa == GPA(gpa))
    }
    write(place, 0x20_1007)
    #expect(rig.machine.counters.unsynced == 1)
    // Not present before: no INVLPG is due.
    write(other, entry)
    #expect(rig.access(.read, 0x4000, vcpu: 1).gpa == GPA(0x20_1000))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F7 INVLPG reloads the address's entry from a table out of step, and no other")
  func invlpg() throws {
    let rig = try Self.rig()
    for page: UInt64 in 0..<2 { rig.map(0x4000 + page << 12, to: 0x20_0000 + page << 12) }
    for page: UInt64 in 0..<2 { _ = rig.access(.read, 0x4000 + page << 12) }
    let place = rig.place(0x4000)
    for page: UInt64 in 0..<2 {
      _ = Self.write(rig, place + page * 8, 0x21_0027 + page << 12)
    }
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    #expect(rig.machine.vcpus[0].exits[.invlpg] == 1)
    let report = rig.access(.read, 0x4000)
    #expect(report.gpa == GPA(0x21_0000))
    #expect(report.exits.total == 0, "INVLPG has reloaded it: P and A are set")
    #expect(rig.access(.read, 0x5000).gpa == GPA(0x20_1000), "still the old page")
    // An entry without A is dropped and not reloaded.
    _ = Self.write(rig, place + 8, 0x22_0007)
    rig.machine.vcpu(0, invalidatePage: GVA(0x5000))
    #expect(rig.leaf(0x5000)?.spte == rig.mmu.encoder.layout.nonPresent)
    #expect(rig.access(.read, 0x5000).exits[.shadowPageFault] == 1)
    #expect(rig.mmu.audit() == [])
  }

  @Test("F6 a write to an upper table is done by software, and the old way is gone at once")
  func upperTable() throws {
    let rig = try Self.rig()
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    let directory = rig.place(0x4000, level: 2)
    let old = rig.peek(directory)
    #expect(Self.write(rig, directory, 0).exits[.shadowPageFault] == 1)
    #expect(rig.peek(directory) == 0)
    guard case .injected(14, 0) = rig.access(.read, 0x4000).outcome else {
      Issue.record("the table is still walked")
      return
    }
    #expect(rig.machine.vcpus[0].faultAddress == GVA(0x4000))
    _ = Self.write(rig, directory, old)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(rig.mmu.audit() == [])
  }

  @Test(
    "F6 misaligned writes zap the table, aligned ones and a byte at an entry's start do not",
    arguments: [
      (0, 8, false), (4, 4, false), (0, 4, false), (0, 1, false), (1, 1, true),
      (0, 2, true), (4, 8, true), (0, 16, true),
    ] as [(UInt64, Int, Bool)])
  func misaligned(offset: UInt64, size: Int, zaps: Bool) throws {
    let rig = try Self.rig()
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    let directory = rig.place(0x4000, level: 2)
    let bytes = rig.memory.view.read(GPA(directory + offset), count: size)
    let value = bytes.reversed().reduce(0 as UInt128) { $0 << 8 | UInt128($1) }
    _ = rig.log.drain()
    _ = rig.access(
      .write, Self.window + directory + offset - 0x10_0000, size: size, value: value)
    let zapped = rig.log.drain().contains {
      if case .pageZapped(_, _, .misaligned) = $0 { return true }
      return false
    }
    #expect(zapped == zaps)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F6 a write from outside is heard of")
  func outside() throws {
    let rig = try Self.rig()
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    rig.poke(rig.place(0x4000), 0x20_5067)
    #expect(rig.mmu.audit() == [], "the entry follows at once")
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_5000))
  }

  @Test("F6 a table that maps itself, and one used at two levels at once, stay right")
  func selfMapping() throws {
    let rig = try Self.rig()
    let table = rig.place(0x4000) & ~0xFFF
    rig.map(0x6000, to: table)
    rig.map(0x4000, to: 0x20_0000)
    #expect(rig.access(.write, 0x6000 + 5 * 8, value: 0x20_7007).value != nil)
    #expect(rig.peek(table + 5 * 8) == 0x20_7007)
    #expect(rig.access(.read, 0x5000).gpa == GPA(0x20_7000))
    // The leaf table becomes a directory of another address too.
    let top = rig.place(0x8000_0000, level: 3)
    rig.poke(top, table | 7)
    // Its entry 4 now names a table: the data page, which holds an entry.
    rig.poke(0x20_0000 + 8, 0x20_9007)
    #expect(rig.access(.read, 0x8000_0000 + 4 << 21 + 0x1000).gpa == GPA(0x20_9000))
    #expect(rig.mmu.audit() == [])
    // A write through the leaf's mapping of the data page is a write to a table now.
    #expect(rig.access(.write, 0x4008, value: 0x20_A007).value != nil)
    try rig.machine.vcpu(0, moveToCR3: rig.root)
    #expect(rig.access(.read, 0x8000_0000 + 4 << 21 + 0x1000).gpa == GPA(0x20_A000))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F8 three writes to a directory zap it, unless a fault walks through in between")
  func flooding() throws {
    let rig = try Self.rig()
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    let directory = rig.place(0x4000, level: 2)
    for round in 0..<4 {
      _ = Self.write(rig, directory + 0x100, UInt64(round) << 12)
      _ = Self.write(rig, directory + 0x100, UInt64(round) << 12)
      rig.machine.vcpu(0, invalidatePage: GVA(0x7000))
      rig.map(0x7000, to: 0x20_1000 + UInt64(round) << 12)
      _ = rig.access(.read, 0x7000)
      #expect(rig.machine.counters.flooded == 0, "a fault resets the count")
    }
    for _ in 0..<3 { _ = Self.write(rig, directory + 0x100, 0) }
    #expect(rig.machine.counters.flooded == 1)
    #expect(rig.access(.read, 0x4000).gpa == GPA(0x20_0000))
    #expect(rig.mmu.audit() == [])
  }

  @Test("F8 the policy of 2008 counts a vCPU's writes to one frame, leaf tables too")
  func floodingAsIn2008() throws {
    let rig = try Self.rig(
      options: ShadowOptions(floodPolicy: .perVCPU, allowsUnsync: false, prefetchWindow: 1))
    rig.map(0x4000, to: 0x20_0000)
    _ = rig.access(.read, 0x4000)
    let table = rig.place(0x4000)
    for count in 1...3 {
      _ = Self.write(rig, table + 0x100, 0)
      #expect(rig.machine.counters.flooded == (count == 3 ? 1 : 0))
    }
    // A write whose entry was used in between starts anew.
    _ = rig.access(.read, 0x4000)
    for round in 0..<4 {
      _ = Self.write(rig, table, 0x20_0067 + UInt64(round) << 12)
      _ = rig.access(.read, 0x4000)
    }
    #expect(rig.machine.counters.flooded == 1)
    #expect(rig.machine.counters.unsynced == 0)
    #expect(rig.mmu.audit() == [])
  }
}
