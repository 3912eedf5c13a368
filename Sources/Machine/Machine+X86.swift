import MMU
public import Paging
public import X86
public import X86Guest

extension Machine where Guest == X86Processor {
  /// INVLPG on one vCPU.
  public func vcpu(_ index: Int, invalidatePage gva: GVA) {
    let vcpu = vcpus[index]
    countExit(.invlpg, "INVLPG \(gva)", on: vcpu)
    let scope = vcpu.guest.invalidatePage(gva)
    if case .page(let page, _) = scope {
      mmu.invalidatePage(page, on: &vcpu.state.context, observer)
    }
    vcpu.state.tlb.invalidate(scope)
  }

  /// MOV CR3 on one vCPU.
  public func vcpu(_ index: Int, moveToCR3 value: UInt64) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR3", on: vcpus[index])
    try move(index) { $0.moveToCR3(value, in: $1) }
  }

  /// MOV CR0 on one vCPU.
  public func vcpu(_ index: Int, moveToCR0 value: CR0) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR0", on: vcpus[index])
    try move(index) { $0.moveToCR0(value, in: $1) }
  }

  /// MOV CR4 on one vCPU.
  public func vcpu(_ index: Int, moveToCR4 value: CR4) throws(RegisterFault) {
    countExit(.controlRegisterWrite, "MOV to CR4", on: vcpus[index])
    try move(index) { $0.moveToCR4(value, in: $1) }
  }

  /// WRMSR to IA32_EFER on one vCPU.
  public func vcpu(_ index: Int, moveToEFER value: EFER) {
    vcpus[index].state.guest.moveToEFER(value)
    registersChanged(vcpus[index], dropping: .nothing)
  }

  /// WRPKRU or WRMSR to IA32_PKRS on one vCPU.
  public func vcpu(_ index: Int, moveToPKRU pkru: UInt32?, pkrs: UInt32? = nil) {
    vcpus[index].state.guest.moveToKeys(pkru: pkru, pkrs: pkrs)
    registersChanged(vcpus[index], dropping: .nothing)
  }

  private func move(
    _ index: Int,
    _ body: (inout X86Processor, borrowing GuestView) -> Result<TLBInvalidation, RegisterFault>
  ) throws(RegisterFault) {
    let vcpu = vcpus[index]
    let scope = try body(&vcpu.state.guest, memory.view).get()
    vcpu.state.tlb.invalidate(scope)
    registersChanged(vcpu, dropping: scope)
  }

  private func registersChanged(
    _ vcpu: VCPU<X86Processor, MMU>, dropping scope: TLBInvalidation
  ) {
    mmu.registersChanged(vcpu.guest, dropping: scope, on: &vcpu.state.context, observer)
  }

  /// Counts exits of a vCPU for which no access asked: calls of the guest to its host.
  public func vcpu(_ index: Int, counts count: Int, of cause: ExitCause) {
    vcpus[index].state.exits[cause] += count
  }

  /// Counts an instruction that leaves the guest where the MMU has to see it.
  private func countExit(
    _ cause: ExitCause, _ words: @autoclosure () -> String, on vcpu: VCPU<X86Processor, MMU>
  ) {
    guard MMU.interceptsInvalidation else { return }
    vcpu.state.exits[cause] += 1
    if Observer.listens { observer.observe(.exit(cause, words())) }
  }
}
