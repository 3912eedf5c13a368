import Paging
import RealCPU

#if os(Linux) && arch(x86_64)
import CKVM

/// A guest under the system's own KVM that reads each page of a memslot once.
final class KVMGuest {
  private static let codeSlot: UInt32 = 0
  private static let dataSlot: UInt32 = 1
  /// Where the guest's data begins.
  private static let data = GPA(1 << 20)
  // Again: MOV EAX, [EBX]; ADD EBX, 4096; DEC ECX; JNZ Again; HLT.
  private static let code: [UInt8] = [
    0x8B, 0x03, 0x81, 0xC3, 0x00, 0x10, 0x00, 0x00, 0x49, 0x75, 0xF5, 0xF4,
  ]

  private let machine: KVMMachine
  private let code: KVMPages
  private let data: KVMPages

  init(pages: Int) throws(BenchmarkError) {
    do {
      machine = try KVMMachine()
      code = try KVMPages(byteCount: 4096)
      data = try KVMPages(byteCount: pages << 12)
    } catch {
      throw .noData("fault.tdp.kvm", "\(RealCPU.device): \(error)")
    }
    code.set(Self.code, at: 0)
    // Pages of the host's, all there: what is timed is the second level.
    for page in 0..<pages { data[page << 12] = 1 }
    guard enterProtectedMode(),
      machine.setMemory(slot: Self.codeSlot, at: GPA(0), to: code, byteCount: 4096)
    else { throw .noData("fault.tdp.kvm", "\(RealCPU.device) does not take the guest") }
  }

  /// Flat segments, no paging.
  private func enterProtectedMode() -> Bool {
    guard var registers = machine.specialRegisters else { return false }
    var flat = kvm_segment()
    flat.limit = 0xFFFF_FFFF
    (flat.present, flat.s, flat.db, flat.g) = (1, 1, 1, 1)
    (flat.selector, flat.type) = (8, 11)
    registers.cs = flat
    (flat.selector, flat.type) = (16, 3)
    (registers.ds, registers.es, registers.ss) = (flat, flat, flat)
    (registers.fs, registers.gs) = (flat, flat)
    registers.cr0 |= 1
    return machine.set(registers)
  }

  /// Makes KVM forget what it has mapped.
  func forget() {
    var registers = kvm_regs()
    registers.rbx = Self.data.rawValue
    registers.rcx = UInt64(data.byteCount >> 12)
    registers.rflags = 2
    let isSet =
      machine.setMemory(slot: Self.dataSlot, at: Self.data, to: data, byteCount: data.byteCount)
      && machine.set(registers)
    precondition(isSet, "a slot that was accepted is accepted again")
  }

  /// Touches every page: a fault of the second level each.
  func run() -> WalkLoop.Tally {
    guard machine.run(milliseconds: 60_000) == .halted, let registers = machine.registers else {
      return WalkLoop.Tally(checksum: 0, failures: UInt64(data.byteCount >> 12))
    }
    return WalkLoop.Tally(
      checksum: registers.rbx &- Self.data.rawValue, failures: registers.rcx & 0xFFFF_FFFF)
  }
}
#endif

extension PairBenchmark {
  /// Faults of the second level beside those that the system's own KVM handles; its side has the exit
  /// and the guest's instructions too.
  static var againstKVM: [PairBenchmark] {
    #if os(Linux) && arch(x86_64)
    let pages = FaultRig.pageCount
    return [
      PairBenchmark(
        name: "fault.tdp.kvm", count: pages, baseline: "kvm", agrees: false, file: RealCPU.device
      ) {
        let rig = try FaultRig()
        let guest = try KVMGuest(pages: pages)
        return Sides(
          resetProgram: { rig.dropLeaves() }, resetBaseline: { guest.forget() },
          program: { rig.run(threads: 1) }, baseline: { guest.run() })
      }
    ]
    #else
    return []
    #endif
  }
}
