internal import CBenchTwin

/// A guest under the system's own KVM that reads each page of a memslot once.
@safe
final class KVMGuest {
  private let guest: OpaquePointer

  /// The device that it needs.
  static var device: String { "/dev/kvm" }

  init(pages: Int) throws(BenchmarkError) {
    guard let guest = unsafe cbt_kvm_make(UInt64(pages)) else {
      throw .noData("fault.tdp.kvm", "\(Self.device) cannot be used")
    }
    unsafe self.guest = unsafe guest
  }

  deinit { unsafe cbt_kvm_free(guest) }

  /// Makes KVM forget what it has mapped.
  func forget() {
    guard unsafe cbt_kvm_forget(guest) else {
      preconditionFailure("a slot that was accepted is accepted again")
    }
  }

  /// Touches every page: a fault of the second level each.
  func run() -> WalkLoop.Tally {
    let tally = unsafe cbt_kvm_run_touches(guest)
    return WalkLoop.Tally(checksum: tally.checksum, failures: tally.failures)
  }
}
