internal import CBenchTwin
import MMU
import Machine
import Paging
import X86
import X86EPT
import X86Guest

/// The twin of accesses to a rig's device, over a copy of the rig's tables of both levels.
@safe
final class MMIOTwin {
  private let memory: MemoryBox
  private var setup: cbt_setup
  private var ept: cbt_ept
  private var mmio: cbt_mmio

  private final class MemoryBox {
    let value: BufferMemory

    init(byteCount: Int) { value = BufferMemory(byteCount: byteCount) }
  }

  init(_ rig: AccessRig) throws(BenchmarkError) {
    let host = rig.memory.host.view
    memory = MemoryBox(byteCount: Int(host.byteCount))
    let registers = rig.machine.vcpus[0].guest.registers
    setup = cbt_setup(
      mode: CBT_LONG4, amd: false, gigabyte_pages: true, physical_width: 46,
      cr0: registers.cr0.rawValue, cr3: registers.cr3, cr4: registers.cr4.rawValue,
      efer: registers.efer.rawValue, pkru: 0, pkrs: 0, pdptes: (0, 0, 0, 0))
    ept = cbt_ept(
      root: rig.machine.vcpus[0].mmuState.root.baseAddress.rawValue, physical_width: 46,
      execute_only: true, pages_2m: true, pages_1g: true, accessed_dirty: true)
    guard let mask = rig.mmu.encoder.layout.mmio?.mask else {
      throw .noData("access.mmio", "MMIO is not cached")
    }
    mmio = cbt_mmio(
      value: mask.value, mask: mask.mask, generation: rig.memory.generation,
      ram_frames: AccessRig.ramFrames, ram_base: AccessRig.ramBase.rawValue,
      device: AccessRig.deviceGPA.rawValue,
      device_bytes: UInt64(AccessRig.devicePageCount) << 12)
    // The tables of both levels; data pages nobody reads here.
    let tables = UInt64(1 + rig.mmu.tablePages)
    let guest = AccessRig.ramBase.rawValue + registers.cr3
    for (first, end) in [(0, tables << 12), (guest, host.byteCount)] {
      for place in stride(from: first, to: end, by: 8) {
        guard case .success(let word) = host.load(HPA(place), as: UInt64.self) else {
          throw .noData("access.mmio", "the tables cannot be read")
        }
        memory.value.store(word, at: place)
      }
    }
  }

  /// Takes the device's entries away.
  func drop() {
    // SAFETY: the memory that it names is this object's own.
    var loop = unsafe loop(count: 0)
    // SAFETY: the structures and the memory live through the call, which keeps none.
    unsafe cbt_mmio_drop(&setup, &ept, &mmio, &loop)
  }

  /// Reads as `AccessRig.read` does.
  func read(count: Int) -> WalkLoop.Tally {
    // SAFETY: as above.
    var loop = unsafe loop(count: count)
    // SAFETY: as above.
    let tally = unsafe cbt_run_mmio(&setup, &ept, &mmio, &loop)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }

  private func loop(count: Int) -> cbt_loop {
    let user = UInt8(CBT_USER)
    // SAFETY: the memory is this object's own.
    return unsafe cbt_loop(
      work: CBT_CHECKED, pattern: CBT_RANDOM, bytes: memory.value.bytes,
      size: UInt64(memory.value.byteCount), base: AccessRig.device.rawValue,
      bits: UInt32(AccessRig.devicePageCount.trailingZeroBitCount),
      accesses: (user, user, user, user, user, user, user, user), count: UInt64(count))
  }
}
