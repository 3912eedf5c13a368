import MMU
import Machine
import Paging
import X86
import X86Guest
import X86TDX

/// A composed machine whose guest is a trust domain.
protocol DomainMachine {
  /// A call of a vCPU's guest to the host.
  func call(_ vcpu: Int, _ call: TDVMCall) throws(FaultError) -> TDVMCallAnswer
  /// An access whose #VE the guest's handler answers.
  func handledAccess(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> HandledAccess<X86Fault>
}

extension Machine: DomainMachine where Guest == X86Processor, MMU: TrustDomain {
  func call(_ vcpu: Int, _ call: TDVMCall) throws(FaultError) -> TDVMCallAnswer {
    try self.vcpu(vcpu, calls: call)
  }

  func handledAccess(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> HandledAccess<X86Fault> {
    self.vcpu(vcpu, handledAccess: access, at: gva, size: size, value: value)
  }
}
