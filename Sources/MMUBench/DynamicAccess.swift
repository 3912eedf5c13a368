import Machine
import Paging
import X86
import X86Guest

/// A machine whose parts are known at run time alone, as those that scenario files compose.
protocol DynamicMachine: AnyObject {
  func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessReport<X86Fault>
}

extension Machine: DynamicMachine where Guest == X86Processor {
  func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, size: Int, value: UInt128
  ) -> AccessReport<X86Fault> {
    self.vcpu(vcpu, access: access, at: gva, size: size, value: value)
  }
}

extension AccessRig {
  /// Reads as `readApart` does, through a machine of a type that nobody knows.
  @inline(never)
  func readDynamically(
    _ machine: any DynamicMachine, _ base: GVA, count: Int, span: Int
  ) -> WalkLoop.Tally {
    var tally = WalkLoop.Tally()
    for step in 0..<count {
      let report = machine.access(
        0, Self.access, at: Self.address(base, step, span), size: 8, value: 0)
      guard case .done(let value) = report.outcome else {
        tally.failures += 1
        continue
      }
      tally.checksum &+= UInt64(truncatingIfNeeded: value) ^ (report.gpa?.rawValue ?? 0)
    }
    return tally
  }
}
