import Dispatch
import MMU
import Machine
import MachineSupport
import Paging
import Synchronization
import Testing
import X86
import X86Guest

/// Many accesses while a vCPU's state is lent.
@Suite("A lent vCPU")
struct LentVCPUTests {
  static func rig() throws -> MachineRig<DefaultPolicy> {
    let rig = try MachineRig(vcpus: 2)
    rig.tables.map(0x4000, to: 0x5000)
    return rig
  }

  @Test("the TLB answers alone from the second access on; the report says the same")
  func hits() throws {
    let rig = try Self.rig()
    rig.machine.withVCPU(0) { vcpu in
      let written = vcpu.access(.write, at: GVA(0x4008), size: 8, value: 42)
      #expect(written.isDone && !written.isTLBAlone)
      #expect(vcpu.report(on: written).exits.total > 0)
      for (size, value) in [(1, 42), (2, 42), (3, 42), (8, 42), (16, 42)] {
        let read = vcpu.access(.read, at: GVA(0x4008), size: size)
        #expect(read.isDone && read.isTLBAlone && read.value == UInt128(value))
        #expect(read.gpa == GPA(0x5008) && read.hpa == HPA(16 << 20 | 0x5008))
        let report = vcpu.report(on: read)
        #expect(report.value == UInt128(value) && report.isTLBHit && report.exits.total == 0)
        #expect(report.gpa == read.gpa && report.hpa == read.hpa && report.mmio == nil)
      }
      let cut = vcpu.access(.write, at: GVA(0x4008), size: 1, value: 0x1FF)
      #expect(cut.value == 0xFF && cut.isTLBAlone, "bytes above the size are not written")
      #expect(vcpu.access(.read, at: GVA(0x4008), size: 8).value == 0xFF)
    }
    #expect(rig.machine.vcpus[0].tlbHits == 7)
    #expect(rig.machine.vcpus[0].tlbMisses == 1)
  }

  @Test("W7 a fault is told by the report, and does not end the loan")
  func fault() throws {
    let rig = try Self.rig()
    rig.machine.withVCPU(0) { vcpu in
      let refused = vcpu.access(.read, at: GVA(0x9000), size: 8)
      #expect(!refused.isDone && refused.value == 0)
      #expect(vcpu.report(on: refused).fault?.vector == 14)
      #expect(vcpu.access(.read, at: GVA(0x4000), size: 8).isDone)
    }
    #expect(rig.machine.vcpus[0].faults == [14: 1])
  }

  @Test("T2 a root that is replaced meanwhile is left before the next access")
  func root() throws {
    let rig = try Self.rig()
    rig.machine.withVCPU(0) { vcpu in
      _ = vcpu.access(.read, at: GVA(0x4000), size: 8)
      #expect(vcpu.access(.read, at: GVA(0x4000), size: 8).isTLBAlone)
      rig.mmu.invalidateAll()
      let again = vcpu.access(.read, at: GVA(0x4000), size: 8)
      #expect(again.isDone && !again.isTLBAlone)
      #expect(vcpu.report(on: again).exits[.eptViolation] > 0, "the new root is empty")
    }
  }

  @Test("T1 a zap waits for the next access, which walks anew", .timeLimit(.minutes(45)))
  func zap() throws {
    let rig = try Self.rig()
    let ended = Atomic(false)
    let mmu = rig.mmu
    let group = DispatchGroup()
    rig.machine.withVCPU(0) { vcpu in
      _ = vcpu.access(.read, at: GVA(0x4000), size: 8)
      let leaf = rig.leaf(0x5000, vcpu: 1)
      #expect(leaf != nil)
      DispatchQueue.global().async(group: group) {
        mmu.zap(GFN(5)..<GFN(6))
        ended.store(true, ordering: .releasing)
      }
      while rig.leaf(0x5000, vcpu: 1) != nil {}
      let isOver = ended.load(ordering: .acquiring)
      #expect(!isOver, "somebody may still use the translation")
      var walked = 0
      while !ended.load(ordering: .acquiring) {
        let read = vcpu.access(.read, at: GVA(0x4000), size: 8)
        #expect(read.isDone)
        if !read.isTLBAlone { walked += 1 }
      }
      #expect(walked > 0)
    }
    group.wait()
  }

  @Test("T1 a vCPU that was given back keeps nobody waiting", .timeLimit(.minutes(45)))
  func givenBack() throws {
    let rig = try Self.rig()
    rig.machine.withVCPU(0) { vcpu in _ = vcpu.access(.read, at: GVA(0x4000), size: 8) }
    #expect(rig.mmu.zap(GFN(5)..<GFN(6)) == 1)
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try rig.machine.withVCPU(0) { vcpu throws(Stop) in
        _ = vcpu.access(.read, at: GVA(0x4000), size: 8)
        throw Stop()
      }
    }
    #expect(rig.mmu.zap(GFN(5)..<GFN(6)) == 1)
  }

  @Test("W16 registers that are moved meanwhile are in force for the next access, and published")
  func moves() throws {
    let rig = try Self.rig()
    try rig.machine.withVCPU(0) { vcpu throws(RegisterFault) in
      _ = vcpu.access(.read, at: GVA(0x4000), size: 8)
      try vcpu.moveToCR3(0x20_0000)
      #expect(rig.machine.vcpus[0].guest.registers.cr3 == 0x20_0000)
      #expect(!vcpu.access(.read, at: GVA(0x4000), size: 8).isDone, "no tables are there")
      try vcpu.moveToCR3(0x10_0000)
      #expect(vcpu.access(.read, at: GVA(0x4000), size: 8).isDone)
    }
  }

  @Test("a device may look at the registers of the vCPU that asks it")
  func lookingOn() throws {
    let rig = try Self.rig()
    rig.tables.map(0x8000, to: 0x4000_0000)
    let device = RegisterDevice()
    #expect(rig.machine.bus.attach(device, at: GPA(0x4000_0000), byteCount: 4096))
    device.machine.withLock { $0 = rig.machine }
    #expect(rig.access(.read, 0x8000).value == 0x10_0000)
    rig.machine.withVCPU(0) { vcpu in
      #expect(vcpu.access(.read, at: GVA(0x8000), size: 8).value == 0x10_0000)
    }
  }
}

/// Answers with the CR3 of vCPU 0.
private final class RegisterDevice: MMIODevice {
  typealias Asked = Machine<X86Processor, MachineRig<DefaultPolicy>.MMUType, EventLog>
  let name = "registers"
  let machine = Mutex<Asked?>(nil)

  func read(offset: UInt64, size: Int) -> UInt64 {
    machine.withLock { $0?.vcpus[0].guest.registers.cr3 ?? 0 }
  }
  func write(_ value: UInt64, offset: UInt64, size: Int) {}
}
