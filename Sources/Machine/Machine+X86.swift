import MMU
public import Paging
public import X86
public import X86Guest

extension Machine where Guest == X86Processor {
  /// INVLPG on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, invalidatePage gva: GVA) {
    vcpus[index].state.invalidatePage(gva)
  }

  /// MOV CR3 on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, moveToCR3 value: UInt64) throws(RegisterFault) {
    try vcpus[index].state.moveToCR3(value)
  }

  /// MOV CR0 on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, moveToCR0 value: CR0) throws(RegisterFault) {
    try vcpus[index].state.moveToCR0(value)
  }

  /// MOV CR4 on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, moveToCR4 value: CR4) throws(RegisterFault) {
    try vcpus[index].state.moveToCR4(value)
  }

  /// WRMSR to IA32_EFER on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, moveToEFER value: EFER) { vcpus[index].state.moveToEFER(value) }

  /// WRPKRU or WRMSR to IA32_PKRS on one vCPU.
  @inlinable
  public func vcpu(_ index: Int, moveToPKRU pkru: UInt32?, pkrs: UInt32? = nil) {
    vcpus[index].state.moveToKeys(pkru: pkru, pkrs: pkrs)
  }

  /// Counts exits of a vCPU for which no access asked: calls of the guest to its host.
  @inlinable
  public func vcpu(_ index: Int, counts count: Int, of cause: ExitCause) {
    vcpus[index].state.exits[cause] += count
  }
}
