internal import CBenchTwin
import Paging
import X86

/// The twin's guest under shadow tables, laid out as the rig's.
@safe
final class ShadowTwin {
  private let shadow: OpaquePointer

  init(pages: Int = ShadowAccessRig.pageCount, slots: Int = 1) throws(BenchmarkError) {
    var setup = Self.setup
    let made = unsafe cbt_shadow_make(
      &setup, ShadowAccessRig.linear.rawValue, UInt64(pages), UInt64(slots))
    guard let shadow = unsafe made else {
      throw .noData("fault.shadow", "no memory for the twin's tables")
    }
    unsafe self.shadow = unsafe shadow
    guard fault(Array(0..<UInt32(pages))).failures == 0 else {
      throw .disagreement("fault.shadow")
    }
  }

  deinit { unsafe cbt_shadow_free(shadow) }

  private static var setup: cbt_setup {
    let registers = ShadowAccessRig.registers(GPA(0))
    return cbt_setup(
      mode: CBT_LONG4, amd: false, gigabyte_pages: true, physical_width: 46,
      cr0: registers.cr0.rawValue, cr3: registers.cr3, cr4: registers.cr4.rawValue,
      efer: registers.efer.rawValue, pkru: 0, pkrs: 0, pdptes: (0, 0, 0, 0))
  }

  func drop(_ pages: [UInt32]) {
    // SAFETY: the array lives through the call.
    unsafe pages.withUnsafeBufferPointer {
      unsafe cbt_shadow_drop(shadow, $0.baseAddress, UInt64($0.count))
    }
  }

  func fault(_ pages: [UInt32]) -> WalkLoop.Tally {
    // SAFETY: the array lives through the call.
    let tally = unsafe pages.withUnsafeBufferPointer {
      unsafe cbt_shadow_run_faults(shadow, $0.baseAddress, UInt64($0.count))
    }
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }

  func unsync() { unsafe cbt_shadow_unsync(shadow) }

  func sync() -> WalkLoop.Tally {
    let tally = unsafe cbt_shadow_run_sync(shadow)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }

  /// Moves CR3 as `ShadowAccessRig.switches` does.
  static func switches(_ roots: [UInt64], count: Int) -> WalkLoop.Tally {
    var setup = setup
    // SAFETY: the array lives through the call.
    let tally = unsafe roots.withUnsafeBufferPointer {
      unsafe cbt_run_switches(&setup, $0.baseAddress, UInt64(count))
    }
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
