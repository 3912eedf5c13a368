import MMU
import Paging
import X86
public import X86Guest

extension VCPUState where Guest == X86Processor {
  /// Whether the vCPU is in system-management mode.
  public var isInSystemManagement: Bool { interrupted != nil }

  /// A system-management interrupt: the vCPU sees the slots of that mode, with paging and protection
  /// off.
  ///
  /// **Not modelled** the state-save area, segment bases and SMBASE: the registers are kept aside, and
  /// linear addresses are physical ones.
  ///
  /// **Source** Intel SDM Vol. 3C, "SMM Execution Environment Initialization".
  ///
  /// - Returns: false where the vCPU is in the mode already, or the machine has none.
  public mutating func enterSystemManagement() -> Bool {
    guard interrupted == nil, mmu.move(&context, to: .systemManagement) else { return false }
    interrupted = guest
    var registers = guest.registers
    registers.cr0.subtract([.protectionEnable, .paging])
    registers.cr4 = []
    registers.efer = []
    adopt(X86Processor(registers, guest.features))
    return true
  }

  /// RSM: registers and slots as before the interrupt.
  ///
  /// - Returns: false where the vCPU is not in the mode; the instruction is then undefined.
  public mutating func leaveSystemManagement() -> Bool {
    guard let guest = interrupted, mmu.move(&context, to: .normal) else { return false }
    interrupted = nil
    adopt(guest)
    return true
  }

  private mutating func adopt(_ other: X86Processor) {
    let time = ledgerTime
    change { $0 = other }
    drop(.everything, since: time)
    mmu.registersChanged(other, dropping: .everything, on: &context, observer)
  }
}
