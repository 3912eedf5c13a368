import MMU
public import Paging

extension Machine {
  /// Reads, writes or fetches 1 to 16 bytes as the guest would, and leaves the guest again.
  ///
  /// An access that crosses a page is translated twice, the lower page first, and nothing is written
  /// unless both succeed.
  ///
  /// - Parameters:
  ///   - index: which vCPU.
  ///   - access: what is asked.
  ///   - gva: the guest virtual address.
  ///   - size: **Units** bytes, 1...16; clamped.
  ///   - value: what is written, little-endian; ignored otherwise.
  @inlinable
  public func vcpu(
    _ index: Int, access: Guest.Access, at gva: GVA, size: Int, value: UInt128 = 0
  ) -> AccessReport<Guest.Fault> {
    vcpus[index].state.soleAccess(access, at: gva, size: size, value: value)
  }

  /// Lends a vCPU's state for as many accesses as the body makes; it stays inside the guest between
  /// them.
  ///
  /// **Requires** that the body neither uses the vCPU through the machine nor waits for anybody who
  /// changes tables: these wait for the vCPU's next access.
  @inlinable
  public func withVCPU<Outcome: ~Copyable, Failure: Error>(
    _ index: Int,
    _ body: (inout VCPUState<Guest, MMU, Observer>) throws(Failure) -> Outcome
  ) throws(Failure) -> Outcome {
    let vcpu = vcpus[index]
    defer { vcpu.state.leave() }
    return try body(&vcpu.state)
  }
}
