internal import CBenchTwin
import Machine
import Paging
import X86
import X86Guest

/// The twin's TLB with the first pages of an access rig in it, and a copy of what they hold.
@safe
final class TLBTwin {
  private let rig: AccessRig
  private let bits: Int
  private let tlb: OpaquePointer
  private let memory: MemoryBox

  private final class MemoryBox {
    let value: BufferMemory

    init(byteCount: Int) { value = BufferMemory(byteCount: byteCount) }
  }

  init(_ rig: AccessRig, bits: Int) throws(BenchmarkError) {
    guard
      let tlb = unsafe cbt_tlb_make(AccessRig.linear.rawValue, 0, 1 << UInt64(bits))
    else { throw .noData("tlb.hit", "no memory for the twin's TLB") }
    unsafe self.tlb = unsafe tlb
    self.rig = rig
    self.bits = bits
    memory = MemoryBox(byteCount: 4096 << bits)
    for page in 0..<(1 as UInt64) << UInt64(bits) { memory.value.store(page, at: page << 12) }
  }

  deinit { unsafe cbt_tlb_free(tlb) }

  /// Reads as `AccessRig.read` does.
  func run(count: Int) -> WalkLoop.Tally {
    let registers = rig.machine.vcpus[0].guest.registers
    var setup = cbt_setup(
      mode: CBT_LONG4, amd: false, gigabyte_pages: true, physical_width: 46,
      cr0: registers.cr0.rawValue, cr3: registers.cr3, cr4: registers.cr4.rawValue,
      efer: registers.efer.rawValue, pkru: 0, pkrs: 0, pdptes: (0, 0, 0, 0))
    let user = UInt8(CBT_USER)
    // SAFETY: the structures and the memory live through the call, which keeps none.
    var loop = unsafe cbt_loop(
      work: CBT_CHECKED, pattern: CBT_RANDOM, bytes: memory.value.bytes,
      size: UInt64(memory.value.byteCount), base: AccessRig.linear.rawValue, bits: UInt32(bits),
      accesses: (user, user, user, user, user, user, user, user), count: UInt64(count))
    let tally = unsafe cbt_run_tlb(&setup, tlb, &loop)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
