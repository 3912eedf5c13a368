import MMU
import Machine
import MachineSupport
import Paging
import TestSupport
import Testing
import X86
import X86EPT

@Suite("Hostile guests")
struct HostileGuestTests {
  /// Every host address that a machine gives out lies in the slot's 16 MiB.
  static func check(_ report: AccessReport<X86Fault>) -> Bool {
    guard let hpa = report.hpa else { return true }
    return hpa >= HPA(16 << 20) && hpa < HPA(32 << 20)
  }

  @Test("random garbage as tables: 20,000 accesses, no trap, no host address outside the slot")
  func garbage() throws {
    var random = SeededGenerator(seed: 666)
    let rig = try MachineRig(
      slots: [.ram(backing: .size2MiB)],
      capabilities: EPTCapabilities(physicalAddressWidth: 52), tablePages: 200)
    var outcomes: [String: Int] = [:]
    for round in 0..<20_000 {
      // The root and tables it may lead to, some bits plausible.
      let entry = GPA(0x10_0000 + (random.next() & 0x1FFF) * 8)
      var value = random.next()
      switch random.below(4) {
      case 0: value = value & 0xFF_FFFF | 7
      case 1: value = value & 0x0000_0000_001F_F000 | 0x10_0000 | 7
      case 2: value = value & 0x000F_FFFF_FFFF_FFFF | 1
      default: break
      }
      rig.tables.poke(entry, value)
      let top = random.flip() ? random.next() & 0x7FFF_FFFF_FFFF : random.next()
      let gva = top & ~0xF_0000_0000 | random.next() & 0xFFF
      let report = rig.access(
        random.pick([.read, .write, .fetch]), gva, size: 1 + random.below(16),
        value: UInt128(random.next()), user: random.flip())
      #expect(Self.check(report), "\(report)")
      switch report.outcome {
      case .done: outcomes[report.hpa == nil ? "mmio" : "memory", default: 0] += 1
      case .fault: outcomes["fault", default: 0] += 1
      case .injected: outcomes["injected", default: 0] += 1
      case .reflected(let exit): Issue.record("nobody is inside the guest: \(exit)")
      case .failed(let error):
        outcomes["failed", default: 0] += 1
        #expect(error == .tablePagesExhausted(limit: 200), "\(error)")
      }
      if round % 64 == 0 { rig.machine.vcpu(0, invalidatePage: GVA(gva)) }
      if round % 500 == 0 { try rig.machine.vcpu(0, moveToCR3: 0x10_0000) }
      _ = rig.log.drain()
    }
    #expect(outcomes["fault", default: 0] > 100, "\(outcomes)")
    #expect(rig.pool.inUse <= 200)
  }

  @Test("tables that map themselves: 20,000 accesses, no trap, no host address outside the slot")
  func selfMapping() throws {
    var random = SeededGenerator(seed: 667)
    let rig = try MachineRig()
    let root: UInt64 = 0x10_0000
    for index in 0..<512 as Range<UInt64> {
      rig.tables.poke(GPA(root + index * 8), root | 7)
    }
    var done = 0
    for _ in 0..<20_000 {
      var gva = random.next() & 0xFFFF_FFFF_FFFF
      if gva >> 47 != 0 { gva |= 0xFFFF << 48 }
      let kind = random.pick(AccessKind.allCases)
      let report = rig.access(
        kind, gva, size: 8, value: UInt128(random.oneIn(2) ? root | 7 : random.next() & 0xFF_FFFF))
      #expect(Self.check(report), "\(report)")
      if report.value != nil { done += 1 }
      if random.oneIn(20) { rig.machine.vcpu(0, invalidatePage: GVA(gva)) }
      if random.oneIn(100) {
        for index in 0..<512 as Range<UInt64> {
          rig.tables.poke(GPA(root + index * 8), root | 7)
        }
        try rig.machine.vcpu(0, moveToCR3: root)
      }
      _ = rig.log.drain()
    }
    #expect(done > 5000, "\(done)")
  }
}
