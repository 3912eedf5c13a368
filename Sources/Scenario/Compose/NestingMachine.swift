import MMU
import Machine
import Paging
import X86Guest

/// A composed machine whose guest is a hypervisor.
protocol NestingScenarioMachine {
  /// Enters the inner guest on a vCPU; false where that fails.
  func enter(_ vcpu: Int, pointer: UInt64) -> Bool
  /// Has a vCPU's exits become #VE of the inner guest.
  func takeExceptions(_ vcpu: Int, in area: GPA)
  /// INVEPT; false where it fails.
  func invalidate(_ vcpu: Int, pointer: UInt64?) -> Bool
  /// INVVPID; false where it fails.
  func invalidate(_ vcpu: Int, _ scope: VPIDInvalidation, vpid: UInt16) -> Bool
  /// Maps a range in the hypervisor's tables; false for a bad pointer.
  func map(
    _ action: NestedMapAction, pointer: UInt64, takeTable: () -> GPA?
  ) throws(TableEditError) -> Bool
}

/// A machine's `NestingMMU` seen apart from its type.
struct NestingMachine<MMU: NestingMMU>: NestingScenarioMachine {
  let machine: Machine<X86Processor, MMU, EventRecorder>

  func enter(_ vcpu: Int, pointer: UInt64) -> Bool {
    machine.vcpu(vcpu, selectSecondLevel: pointer)
  }

  func takeExceptions(_ vcpu: Int, in area: GPA) {
    machine.vcpu(vcpu, takesExceptionsIn: area)
  }

  func invalidate(_ vcpu: Int, pointer: UInt64?) -> Bool {
    machine.vcpu(vcpu, invalidateSecondLevel: pointer)
  }

  func invalidate(_ vcpu: Int, _ scope: VPIDInvalidation, vpid: UInt16) -> Bool {
    machine.vcpu(vcpu, invalidate: scope, vpid: vpid)
  }

  func map(
    _ action: NestedMapAction, pointer: UInt64, takeTable: () -> GPA?
  ) throws(TableEditError) -> Bool {
    try machine.mmu.map(
      action.gpa, to: action.place, length: action.byteCount, pageSize: action.pageSize,
      permissions: action.permissions, pointer: pointer, takeTable: takeTable)
  }
}
