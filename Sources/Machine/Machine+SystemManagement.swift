import MMU
import Paging
import X86
public import X86Guest

extension Machine where Guest == X86Processor {
  /// Whether a vCPU is in system-management mode.
  public func isInSystemManagement(vcpu index: Int) -> Bool {
    vcpus[index].state.interrupted != nil
  }

  /// A system-management interrupt of one vCPU: it sees the slots of that mode, with paging and
  /// protection off.
  ///
  /// **Not modelled** the state-save area, segment bases and SMBASE: the registers are kept aside, and
  /// linear addresses are physical ones.
  ///
  /// **Source** Intel SDM Vol. 3C, "SMM Execution Environment Initialization".
  ///
  /// - Returns: false where the vCPU is in the mode already, or the machine has none.
  public func vcpuEntersSystemManagement(_ index: Int) -> Bool {
    let vcpu = vcpus[index]
    guard vcpu.state.interrupted == nil,
      mmu.move(&vcpu.state.context, to: .systemManagement)
    else { return false }
    vcpu.state.interrupted = vcpu.state.guest
    var registers = vcpu.state.guest.registers
    registers.cr0.subtract([.protectionEnable, .paging])
    registers.cr4 = []
    registers.efer = []
    adopt(X86Processor(registers, vcpu.state.guest.features), on: vcpu)
    return true
  }

  /// RSM on one vCPU: registers and slots as before the interrupt.
  ///
  /// - Returns: false where the vCPU is not in the mode; the instruction is then undefined.
  public func vcpuLeavesSystemManagement(_ index: Int) -> Bool {
    let vcpu = vcpus[index]
    guard let guest = vcpu.state.interrupted,
      mmu.move(&vcpu.state.context, to: .normal)
    else { return false }
    vcpu.state.interrupted = nil
    adopt(guest, on: vcpu)
    return true
  }

  private func adopt(_ guest: X86Processor, on vcpu: VCPU<X86Processor, MMU>) {
    vcpu.state.guest = guest
    vcpu.state.tlb.invalidate(.everything)
    mmu.registersChanged(guest, dropping: .everything, on: &vcpu.state.context, observer)
  }
}
