import MMU
import Machine
import MachineSupport
import Paging
import Testing
import X86EPT
import X86NPT

@Suite("What a guest's guest may still use")
struct InvalidationTests {
  static let page: UInt64 = 0x8000

  private func rig(
    _ options: ShadowOptions = ShadowOptions(), marking: Bool = true
  ) throws -> NestedRig<EPTEncoder> {
    let rig = try NestedRig(
      EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), options: options)
    rig.boot(marking: marking)
    return rig
  }

  @Test("W16 F15 a store to a leaf table is not seen until INVEPT", arguments: [true, false])
  func staleUntilINVEPT(namesPointer: Bool) throws {
    let rig = try rig()
    #expect(NestedOutcome(rig.access(.write, Self.page)) == .memory(GPA(0x20_8000)))
    let entry = rig.entry(Self.page, level: 1)
    rig.hypervisorWrites(entry, EPTEncoder.leafEntry(0x30_0000, granting: .all, level: 1))
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
    #expect(rig.machine.counters.unsynced == 1)
    let pointer = namesPointer ? NestedRig<EPTEncoder>.pointer() : nil
    #expect(rig.machine.vcpu(1, invalidateSecondLevel: pointer))
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x30_0000)))
    #expect(rig.mmu.audit() == [])
  }

  @Test("W16 INVVPID drops no translation of the second level; VPID 0 fails")
  func invvpid() throws {
    let rig = try rig()
    _ = rig.access(.write, Self.page)
    rig.hypervisorWrites(rig.entry(Self.page, level: 1), 0)
    #expect(rig.machine.vcpu(1, invalidate: .everything, vpid: 1))
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
    #expect(!rig.machine.vcpu(1, invalidate: .everything, vpid: 0))
  }

  @Test("F6 F15 a store to an upper table is seen at once")
  func upperTable() throws {
    let rig = try rig()
    _ = rig.access(.write, Self.page)
    let report = rig.hypervisorWrites(rig.entry(0, level: 2), 0)
    #expect(report.value == 0)
    guard case .reflected(let exit) = NestedOutcome(rig.access(.read, Self.page)) else {
      Issue.record("the table is gone")
      return
    }
    #expect(exit.information == 0x83, "the walk's first table access finds nothing")
  }

  @Test("F14 F15 three previous pointers keep their roots: going back makes no exit")
  func previousRoots() throws {
    let rig = try rig()
    let pointers = copyRoots(rig, 4)
    for root in 0..<4 {
      #expect(rig.machine.vcpu(1, selectSecondLevel: pointers[root]))
      _ = rig.access(.read, Self.page)
    }
    for root in 0..<4 {
      #expect(rig.machine.vcpu(1, selectSecondLevel: pointers[root]))
      let report = rig.access(.read, Self.page)
      #expect(report.exits.total == 0 && !report.isTLBHit, "root \(root)")
    }
    #expect(rig.mmu.audit() == [])
  }

  @Test("E2 F4 an inner guest's entries are of kind 2 under PML, of kind 1 where EPTP has no A/D")
  func markings() throws {
    for (usesLog, marking, kind) in [(true, true, 2), (false, true, 0), (true, false, 1)] {
      let rig = try rig(ShadowOptions(usesModificationLog: usesLog), marking: marking)
      _ = rig.log.drain()
      _ = rig.access(.write, Self.page)
      let inner = rig.log.events.compactMap { event -> UInt64? in
        if case .leafInstalled(_, GFN(0x208), _, let spte) = event {
          return spte.rawValue >> 52 & 3
        }
        return nil
      }
      #expect(inner.last == UInt64(kind))
      _ = rig.log.drain()
      rig.hypervisorWrites(0x20_8000, 1)
      let own = rig.log.events.compactMap { event -> UInt64? in
        if case .leafInstalled(_, GFN(0x208), _, let spte) = event {
          return spte.rawValue >> 52 & 3
        }
        return nil
      }
      #expect(own == [0], "the hypervisor's own entry is hardware's to mark")
    }
  }

  @Test("E11 F15 a hypervisor's entry with D=0 is not writable in the shadow; the write sets D")
  func dirtyOnFirstWrite() throws {
    let rig = try rig()
    let entry = rig.entry(Self.page, level: 1)
    rig.poke(entry, rig.peek(entry) & ~0x300)
    _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
    _ = rig.access(.read, Self.page)
    #expect(rig.peek(entry) & 0x300 == 0x100)
    let write = rig.access(.write, Self.page, value: 7)
    #expect(write.exits[.eptViolation] == 1)
    #expect(rig.peek(entry) & 0x300 == 0x300)
  }

  @Test("F2 F15 MMIO that the hypervisor turns into memory does not hold the access up")
  func mmioBecomesMemory() throws {
    let rig = try NestedRig(NPTEncoder(NPTCapabilities(physicalAddressWidth: 46)))
    rig.boot()
    let entry = rig.entry(Self.page, level: 1)
    rig.poke(entry, NestedRig<NPTEncoder>.hole | 0x67)
    for _ in 0..<3 {
      #expect(
        NestedOutcome(rig.access(.read, Self.page)) == .mmio(GPA(NestedRig<NPTEncoder>.hole)))
    }
    rig.hypervisorWrites(entry, 0x20_8067)
    let between = NestedOutcome(rig.access(.read, Self.page))
    #expect(
      between == .memory(GPA(0x20_8000)) || between == .mmio(GPA(NestedRig<NPTEncoder>.hole)))
    _ = rig.machine.vcpu(1, invalidateSecondLevel: nil)
    #expect(NestedOutcome(rig.access(.read, Self.page)) == .memory(GPA(0x20_8000)))
  }

  @Test("T9 F4 F15 five pointers share a pool that is one page short: the oldest go")
  func smallPool() throws {
    let rig = try NestedRig(
      EPTEncoder(EPTCapabilities(physicalAddressWidth: 46)), tablePages: 7)
    rig.boot()
    let pointers = copyRoots(rig, 5)
    for round in 0..<20 as Range<UInt64> {
      #expect(rig.machine.vcpu(1, selectSecondLevel: pointers[Int(round * 3 % 5)]))
      let page = round + 8
      #expect(
        NestedOutcome(rig.access(.write, page << 12, value: 1))
          == .memory(GPA(0x20_0000 + page << 12)))
      #expect(rig.mmu.audit() == [])
    }
    #expect(rig.machine.counters.recycled > 0)
  }

  /// Pointers to copies of the hypervisor's root table, the table itself first.
  private func copyRoots(_ rig: NestedRig<EPTEncoder>, _ count: Int) -> [UInt64] {
    for root in 1..<count {
      for index in 0..<512 as Range<UInt64> {
        let entry = rig.peek(NestedRig<EPTEncoder>.base + index * 8)
        rig.poke(0x18_0000 + UInt64(root) << 12 + index * 8, entry)
      }
    }
    return [NestedRig<EPTEncoder>.pointer()]
      + (1..<count).map { EPTEncoder.pointer(0x18_0000 + UInt64($0) << 12, marking: true) }
  }
}
