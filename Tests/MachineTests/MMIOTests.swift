import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import Testing
import X86
import X86EPT

@Suite("MMIO")
struct MMIOTests {
  static let device: UInt64 = 0x4000_0000

  static func rig(generation: UInt64 = 1, vcpus: Int = 1) throws -> MachineRig<DefaultPolicy> {
    let rig = try MachineRig(vcpus: vcpus, generation: generation)
    rig.tables.map(0x4000, to: device)
    rig.tables.map(0x7000, to: device + 0x1000)
    _ = rig.log.drain()
    return rig
  }

  static func searches(_ events: [MMUEvent], of gpa: UInt64 = device) -> Int {
    events.filter { $0 == .memslotSearch(gfn: GPA(gpa).frame, found: false) }.count
  }

  @Test("F3 an access without a slot caches an MMIO entry and is emulated in the same exit")
  func cached() throws {
    let rig = try Self.rig()
    let echo = EchoDevice()
    #expect(rig.machine.bus.attach(echo, at: GPA(Self.device), byteCount: 4096))
    let first = rig.access(.read, 0x4008, size: 4)
    #expect(first.value == 0x5566_7708)
    #expect(first.mmio?.device == "echo")
    #expect(first.gpa == GPA(Self.device + 8))
    #expect(first.hpa == nil)
    let events = rig.log.drain()
    #expect(Self.searches(events) == 1)
    let installed = events.filter {
      if case .mmioInstalled(GPA(Self.device).frame, _, _) = $0 { true } else { false }
    }
    #expect(installed.count == 1)
    #expect(rig.machine.counters.mmioSearched == 1)
  }

  @Test("F2 the second access exits by misconfiguration and searches no memslot")
  func second() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    _ = rig.access(.read, 0x7000)
    let before = rig.machine.counters
    _ = rig.log.drain()
    for kind in [AccessKind.read, .write, .read] {
      let report = rig.access(kind, 0x4000)
      #expect(report.exits[.eptMisconfiguration] == 1)
      #expect(report.exits.total == 1)
      #expect(report.mmio != nil)
    }
    #expect(Self.searches(rig.log.drain()) == 0)
    let after = rig.machine.counters
    #expect(after.memslotSearches == before.memslotSearches)
    #expect(after.mmioCached == before.mmioCached + 3)
    #expect(after.spteInstalls == before.spteInstalls)
  }

  @Test("F2 the vCPU's last MMIO frame answers before the entry is looked up")
  func lastMMIO() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    _ = rig.access(.read, 0x7000)
    _ = rig.log.drain()
    // The other frame was last: this look-up walks.
    _ = rig.access(.read, 0x4000)
    #expect(
      rig.log.drain().contains {
        if case .mmioHit = $0 { true } else { false }
      })
    // Now it is the last: no walk.
    _ = rig.access(.read, 0x4000)
    let events = rig.log.drain()
    #expect(events.count == 2, "the exit, and what was remembered: \(events)")
    #expect(rig.machine.counters.mmioCached == 2)
  }

  @Test("F2 after a memslot change the stale entry leads into the full path in the same exit")
  func stale() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    _ = rig.access(.read, 0x4000)
    try rig.memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 5, base: GPA(Self.device).frame, frameCount: 1, host: HPA(32 << 20)))
    }
    _ = rig.log.drain()
    let report = rig.access(.write, 0x4000, value: 77)
    #expect(report.exits[.eptMisconfiguration] == 1)
    #expect(report.hpa == HPA(32 << 20))
    #expect(rig.machine.counters.mmioStale == 1)
    #expect(rig.access(.read, 0x4000).value == 77)
    // Another frame stays MMIO, under a new generation.
    _ = rig.access(.read, 0x7000)
    try rig.memory.update { table throws(MemslotError) in
      try table.removing(id: 5)
    } invalidate: {
      _ in
      rig.mmu.invalidateAll()
    }
    #expect(rig.access(.read, 0x4000).mmio != nil)
    #expect(rig.access(.read, 0x7000).mmio != nil)
  }

  @Test("F2 a stale entry of a frame that is still MMIO is written again")
  func renewed() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    try rig.memory.update { table throws(MemslotError) in table }
    let report = rig.access(.read, 0x4000)
    #expect(report.exits.total == 1)
    #expect(report.mmio != nil)
    #expect(rig.machine.counters.mmioStale == 1)
    _ = rig.access(.read, 0x7000)
    _ = rig.access(.read, 0x4000)
    #expect(rig.machine.counters.mmioStale == 1)
  }

  @Test("F2 no hit and no fill while an update is in progress, and the old slots are not kept")
  func duringUpdate() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    rig.tables.map(0x8000, to: 0x8000)
    let before = rig.machine.counters
    try rig.memory.update { table throws(MemslotError) in
      _ = rig.access(.read, 0x8000)  // The vCPU sees the flag while the old slots are in force.
      return table
    } invalidate: { _ in
      for _ in 0..<2 {
        #expect(rig.access(.read, 0x4000).mmio != nil)
        #expect(rig.access(.read, 0x7000).mmio != nil)
      }
    }
    let after = rig.machine.counters
    #expect(after.mmioCached == before.mmioCached)
    #expect(after.mmioSearched == before.mmioSearched + 4)
  }

  @Test("T1 a slot that goes away while a vCPU faults leaves no mapping in the new tables")
  func removedDuringUpdate() throws {
    let rig = try Self.rig()
    rig.tables.map(0x9000, to: 0x2000_0000)
    let slot = Memslot(id: 9, base: GFN(0x20000), frameCount: 1, host: HPA(40 << 20))
    try rig.memory.update { table throws(MemslotError) in try table.adding(slot) }
    #expect(rig.access(.read, 0x9000).hpa == HPA(40 << 20))
    rig.tables.map(0x8000, to: 0x8000)
    try rig.memory.update { table throws(MemslotError) in
      _ = rig.access(.read, 0x8000)  // The vCPU sees the flag while the old slots are in force.
      return try table.removing(id: 9)
    } invalidate: { _ in
      rig.mmu.invalidateAll()
      #expect(rig.access(.read, 0x9000).hpa == nil)
    }
    #expect(rig.access(.read, 0x9000).hpa == nil)
  }

  @Test("T2 nineteen bits of generations later an old entry does not come back to life")
  func generationWrap() throws {
    let rig = try Self.rig()
    _ = rig.access(.read, 0x4000)
    for _ in 0..<((1 << 19) - 1) {
      try rig.memory.update { table throws(MemslotError) in table }
    }
    try rig.memory.update { table throws(MemslotError) in
      try table.adding(
        Memslot(id: 5, base: GPA(Self.device).frame, frameCount: 1, host: HPA(32 << 20)))
    }
    #expect(rig.access(.read, 0x4000).hpa == HPA(32 << 20))
    #expect(rig.access(.read, 0x7000).mmio != nil)
  }

  @Test("E8 T9 a frame past the walk's width is emulated and spoils no other frame")
  func pastTheWidth() throws {
    let rig = try MachineRig(capabilities: EPTCapabilities(physicalAddressWidth: 52))
    rig.tables.map(0x4000, to: 1 << 48 | 0x5000)
    rig.tables.map(0x7000, to: 0x5000)
    for _ in 0..<3 {
      let report = rig.access(.read, 0x4000)
      #expect(report.mmio != nil)
      #expect(report.gpa == GPA(1 << 48 | 0x5000))
    }
    let ram = rig.access(.write, 0x7000, value: 3)
    #expect(ram.hpa == HPA(16 << 20 | 0x5000))
    #expect(rig.access(.read, 0x4000).mmio != nil)
  }

  @Test("the bus hands a device the bytes of the access, in pieces, inside its range")
  func pieces() throws {
    let rig = try Self.rig()
    let echo = EchoDevice()
    #expect(rig.machine.bus.attach(echo, at: GPA(Self.device), byteCount: 16))
    #expect(!rig.machine.bus.attach(echo, at: GPA(Self.device + 15), byteCount: 1))
    #expect(!rig.machine.bus.attach(echo, at: GPA(.max), byteCount: 2))
    #expect(!rig.machine.bus.attach(echo, at: GPA(0), byteCount: 0))
    _ = rig.access(.write, 0x4000, size: 2, value: 0x1234_5678)
    _ = rig.access(.write, 0x4004, size: 12, value: 0x0102_0304_0506_0708_090A_0B0C)
    _ = rig.access(.write, 0x4008, size: 16, value: ~0)
    #expect(
      echo.writes.withLock { $0 } == [
        [0x5678, 0, 2], [0x0506_0708_090A_0B0C, 4, 8], [0x0102_0304, 12, 4], [.max, 8, 8],
      ])
    #expect(rig.access(.read, 0x4FFF, size: 1).value == 0xFF)
    #expect(rig.access(.read, 0x4FFF, size: 1).mmio?.device == nil)
  }
}
