import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import TestSupport
import Testing
import X86
import X86EPT

@Suite("EPT faults")
struct FaultTests {
  @Test("exits are counted by cause, and a warm access has none")
  func exitCauses() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    rig.tables.map(0x7000, to: 0x4000_0000)
    let cold = rig.access(.read, 0x4000)
    // Four guest tables and the page itself, each a violation.
    #expect(cold.exits[.eptViolation] == 5)
    #expect(cold.exits.total == 5)
    #expect(rig.access(.read, 0x4000).exits.total == 0)
    rig.machine.vcpu(0, invalidatePage: GVA(0x4000))
    #expect(rig.access(.read, 0x4000).exits.total == 0)
    #expect(rig.access(.read, 0x7000).exits[.eptViolation] == 1)
    #expect(rig.access(.read, 0x7000).exits[.eptMisconfiguration] == 1)
    let exits = rig.machine.vcpus[0].exits
    #expect(exits[.eptViolation] == 6)
    #expect(exits[.eptMisconfiguration] == 1)
    #expect(exits.total == 7)
    #expect(exits.nonzero.map(\.cause) == [.eptViolation, .eptMisconfiguration])
    #expect(rig.machine.counters.fixed == 5)
    #expect(rig.machine.counters.emulated == 2)
  }

  @Test("W11 A and D appear in the guest's tables and in EPT")
  func accessedDirty() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    _ = rig.access(.read, 0x4000)
    for level in 2...4 {
      #expect(rig.tables.peek(rig.tables.place(0x4000, level: level)) & 0x60 == 0x20)
    }
    #expect(rig.tables.peek(rig.tables.place(0x4000, level: 1)) & 0x60 == 0x20)
    #expect(rig.leaf(0x5000).map { $0.entry & 0x300 } == 0x100)
    // With A/D on, guest tables are written as far as EPT is concerned.
    #expect(rig.leaf(rig.tables.root.rawValue).map { $0.entry & 0x300 } == 0x300)
    _ = rig.access(.write, 0x4000)
    #expect(rig.tables.peek(rig.tables.place(0x4000, level: 1)) & 0x60 == 0x60)
    #expect(rig.leaf(0x5000).map { $0.entry & 0x300 } == 0x300)
  }

  @Test(
    "F11 the level of the mapping is the largest that everything allows",
    arguments: [(12, 1), (21, 2), (30, 2)])
  func levels(shift: Int, level: Int) throws {
    let rig = try MachineRig(slots: [.ram(backing: PageSize(shift: shift))])
    rig.tables.map(0x4000, to: 0x20_5000)
    #expect(rig.access(.read, 0x4000).hpa == HPA(16 << 20 | 0x20_5000))
    #expect(rig.leaf(0x20_5000)?.level == level)
  }

  @Test("F11 a processor without large pages gets small ones")
  func noLargePages() throws {
    let rig = try MachineRig(
      slots: [.ram(backing: .size1GiB)],
      capabilities: EPTCapabilities(physicalAddressWidth: 46, pages2MiB: false))
    rig.tables.map(0x4000, to: 0x5000)
    _ = rig.access(.read, 0x4000)
    #expect(rig.leaf(0x5000)?.level == 1)
  }

  @Test("T9 the limit of table pages is a clear error, at every limit")
  func tableLimit() throws {
    #expect(throws: FaultError.tablePagesExhausted(limit: 0)) { try MachineRig(tablePages: 0) }
    for limit in 2...12 {
      let rig = try MachineRig(tablePages: limit)
      rig.tables.map(0x4000, to: 0x5000)
      rig.tables.map(0x7000, to: 0x80_0000)
      rig.tables.map(0x8000, to: 0x4000_0000)
      var failures: [FaultError] = []
      for gva: UInt64 in [0x4000, 0x7000, 0x8000] {
        let report = rig.access(.read, gva)
        if let failure = report.failure { failures.append(failure) }
        #expect(report.failure != nil || report.value != nil)
        #expect(rig.pool.inUse <= limit)
      }
      #expect(failures.allSatisfy { $0 == .tablePagesExhausted(limit: limit) })
      #expect(failures.isEmpty == (limit >= 6), "\(limit): \(failures)")
      // MMIO needs no table to be answered.
      rig.tables.map(0x8000, to: 0x4000_0000)
      rig.mmu.invalidateAll()
      _ = rig.access(.read, 0x4000)
      #expect(rig.pool.inUse <= limit)
    }
  }

  @Test("T2 a replaced root is freed when the last vCPU leaves it")
  func rootsAreCounted() throws {
    let rig = try MachineRig(vcpus: 2)
    let empty = rig.mmu.tablePages
    #expect(empty == 1)
    rig.tables.map(0x4000, to: 0x5000)
    for vcpu in 0...1 { _ = rig.access(.read, 0x4000, vcpu: vcpu) }
    let full = rig.mmu.tablePages
    #expect(full == 4, "the root and one table of each level below")
    rig.mmu.invalidateAll()
    #expect(rig.mmu.tablePages == full + 1)
    _ = rig.access(.read, 0x4000, vcpu: 0)
    #expect(rig.mmu.tablePages == 2 * full, "vCPU 1 still uses the old tables")
    let again = rig.access(.read, 0x4000, vcpu: 1)
    #expect(!again.isTLBHit, "a new root empties the TLB")
    #expect(rig.mmu.tablePages == full)
    rig.mmu.invalidateAll()
    rig.mmu.invalidateAll()
    for vcpu in 0...1 { _ = rig.access(.read, 0x4000, vcpu: vcpu) }
    #expect(rig.mmu.tablePages == full)
  }

  @Test("T2 a dry pool does not stop an invalidation, nor empty tables that a vCPU walks")
  func dryInvalidation() throws {
    let rig = try MachineRig(tablePages: 9, vcpus: 2)
    rig.tables.map(0x4000, to: 0x5000)
    for vcpu in 0...1 { _ = rig.access(.read, 0x4000, vcpu: vcpu) }
    while rig.pool.take() != nil {}
    let inUse = rig.pool.inUse
    let old = rig.root(1)
    rig.mmu.invalidateAll()
    #expect(rig.leaf(0x5000, vcpu: 1) != nil, "whole until its vCPU enters again")
    _ = rig.access(.read, 0x4000, vcpu: 0)
    #expect(rig.root(0) != old)
    #expect(rig.root(1) == old)
    #expect(rig.access(.read, 0x4000, vcpu: 1).value != nil, "its tables come back to the pool")
    #expect(rig.pool.inUse == inUse)
    for _ in 0..<10 {
      rig.mmu.invalidateAll()
      // The first to leave gets no tables yet; the last one's come back and serve both.
      _ = rig.access(.read, 0x4000, vcpu: 0)
      for vcpu in [1, 0] { #expect(rig.access(.read, 0x4000, vcpu: vcpu).value != nil) }
      #expect(rig.pool.inUse == inUse)
    }
  }

  @Test("T5 T8 what the host moves while the upper page is faulted in is written where it is then")
  func movedBetweenHalves() throws {
    let first = HPA(40 << 20)
    let second = HPA(48 << 20)
    func slot(at host: HPA) -> Memslot {
      Memslot(id: 1, base: GFN(0x1_0000), frameCount: 1, host: host)
    }
    let rig = try MachineRig(slots: [.ram, slot(at: first)])
    rig.tables.map(0x4000, to: 0x1000_0000)
    rig.tables.map(0x5000, to: 0x9000)
    let gate = Gate()
    let machine = try Machine(
      guests: [rig.machine.vcpus[0].guest], mmu: GatedMMU(rig.mmu, gate))
    func write(_ gva: UInt64, _ value: UInt128) -> AccessReport<X86Fault> {
      machine.vcpu(0, access: X86Access(.write), at: GVA(gva), size: 8, value: value)
    }
    #expect(write(0x4000, 1).hpa == first)
    gate.arm(.exit) { [mmu = rig.mmu] in
      try? mmu.updateSlots(dropping: GFN(0x1_0000)..<GFN(0x1_0001)) {
        table throws(MemslotError) in
        try table.removing(id: 1).adding(
          Memslot(id: 1, base: GFN(0x1_0000), frameCount: 1, host: second))
      }
    }
    let report = write(0x4ffc, 0x1122_3344_5566_7788)
    #expect(gate.finish())
    #expect(report.value == 0x1122_3344_5566_7788)
    #expect(report.hpa == second.wrappingAdd(0xffc))
    #expect(rig.memory.host.view.readValue(first.wrappingAdd(0xffc), size: 4) == 0)
    #expect(rig.memory.host.view.readValue(second.wrappingAdd(0xffc), size: 4) == 0x5566_7788)
    #expect(rig.access(.read, 0x5000, size: 4).value == 0x1122_3344)
    #expect(rig.mmu.audit() == [])
  }

  @Test("a page-crossing access of 1 to 16 bytes moves all bytes or none")
  func crossing() throws {
    let rig = try MachineRig()
    rig.tables.map(0x4000, to: 0x5000)
    rig.tables.map(0x5000, to: 0x9000)
    rig.tables.map(0x8000, to: 0x6000)
    let pattern: UInt128 = 0x1011_1213_1415_1617_1819_1A1B_1C1D_1E1F
    for size in 1...16 {
      for before in 0...size {
        let gva = UInt64(0x5000 - before)
        let mask: UInt128 = size == 16 ? ~0 : (1 << UInt128(size * 8)) - 1
        #expect(rig.access(.write, gva, size: size, value: pattern).value == pattern & mask)
        #expect(rig.access(.read, gva, size: size).value == pattern & mask)
        if before > 0, before < size {
          let low = rig.memory.view.read(GPA(UInt64(0x6000 - before)), count: before)
          let high = rig.memory.view.read(GPA(0x9000), count: size - before)
          let expected = (0..<size).map { UInt8(truncatingIfNeeded: pattern >> UInt128($0 * 8)) }
          #expect(low + high == expected)
        }
      }
    }
    // The upper page is not there: nothing is written, the fault names the upper page.
    _ = rig.access(.write, 0x8FF0, size: 16, value: 0)
    let report = rig.access(.write, 0x8FFC, size: 8, value: ~0)
    #expect(report.fault?.address == GVA(0x9000))
    #expect(rig.access(.read, 0x8FFC, size: 4).value == 0)
    // Both are missing: the lower one faults.
    #expect(rig.access(.write, 0xAFFC).fault?.address == GVA(0xAFFC))
    // The lower half is a device, the upper half faults: the device is not touched.
    let echo = EchoDevice()
    #expect(rig.machine.bus.attach(echo, at: GPA(0x4000_0000), byteCount: 4096))
    rig.tables.map(0xC000, to: 0x4000_0000)
    #expect(rig.access(.write, 0xCFFC, value: 1).fault?.address == GVA(0xD000))
    #expect(echo.writes.withLock { $0.isEmpty })
    rig.tables.map(0xD000, to: 0x5000)
    let mixed = rig.access(.write, 0xCFFC, value: 0x1122_3344_5566_7788)
    #expect(mixed.mmio?.device == "echo")
    #expect(echo.writes.withLock { $0 } == [[0x5566_7788, 0xFFC, 4]])
    #expect(rig.access(.read, 0x4000, size: 4).value == 0x1122_3344)
  }
}
