import MMU
public import Paging
public import X86
public import X86Guest

extension Machine where Guest == X86Processor {
  /// INVLPG on one vCPU.
  public func vcpu(_ index: Int, invalidatePage gva: GVA) {
    let vcpu = vcpus[index]
    vcpu.state.tlb.invalidate(vcpu.guest.invalidatePage(gva))
  }

  /// MOV CR3 on one vCPU.
  public func vcpu(_ index: Int, moveToCR3 value: UInt64) throws(RegisterFault) {
    try move(index) { $0.moveToCR3(value, in: $1) }
  }

  /// MOV CR0 on one vCPU.
  public func vcpu(_ index: Int, moveToCR0 value: CR0) throws(RegisterFault) {
    try move(index) { $0.moveToCR0(value, in: $1) }
  }

  /// MOV CR4 on one vCPU.
  public func vcpu(_ index: Int, moveToCR4 value: CR4) throws(RegisterFault) {
    try move(index) { $0.moveToCR4(value, in: $1) }
  }

  /// WRMSR to IA32_EFER on one vCPU.
  public func vcpu(_ index: Int, moveToEFER value: EFER) {
    vcpus[index].guest.moveToEFER(value)
  }

  /// WRPKRU or WRMSR to IA32_PKRS on one vCPU.
  public func vcpu(_ index: Int, moveToPKRU pkru: UInt32?, pkrs: UInt32? = nil) {
    vcpus[index].guest.moveToKeys(pkru: pkru, pkrs: pkrs)
  }

  private func move(
    _ index: Int,
    _ body: (inout X86Processor, borrowing GuestView) -> Result<TLBInvalidation, RegisterFault>
  ) throws(RegisterFault) {
    let vcpu = vcpus[index]
    vcpu.state.tlb.invalidate(try body(&vcpu.guest, memory.view).get())
  }
}
