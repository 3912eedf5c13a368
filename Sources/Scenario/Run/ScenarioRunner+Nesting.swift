import Machine
import Paging

extension ScenarioRunner {
  /// What the hypervisor inside the guest does to its guest's second level.
  func perform(_ action: NestingAction, _ result: inout StepResult) {
    guard let nesting else {
      result.problem = "no guest is inside the guest"
      return
    }
    switch action {
    case .map(let map): perform(map, nesting, &result)
    case .enter(let pointer, let vcpu):
      result.isDone = nesting.enter(vcpu, pointer: pointer)
      if result.isDone {
        layout.pointers[vcpu] = pointer
      } else {
        result.problem = "the entry fails"
      }
    case .invalidate(let pointer, let vcpu):
      result.isDone = nesting.invalidate(vcpu, pointer: pointer)
      if !result.isDone { result.problem = "INVEPT fails" }
    case .invalidateVPID(let vpid, let keepsGlobals, let vcpu):
      let scope: VPIDInvalidation = keepsGlobals ? .nonGlobals : .everything
      result.isDone = nesting.invalidate(vcpu, scope, vpid: UInt16(truncatingIfNeeded: vpid))
      if !result.isDone { result.problem = "INVVPID fails" }
    }
  }

  /// Has every vCPU inside the guest run on the second level that the layout says.
  func enterNested() {
    guard let nesting, let nested = scenario.machine.nested else { return }
    for vcpu in scenario.machine.vcpuCount..<scenario.machine.allVCPUs {
      _ = nesting.enter(vcpu, pointer: layout.pointers[vcpu] ?? nested.pointer)
    }
  }

  private func perform(
    _ action: NestedMapAction, _ nesting: any NestingScenarioMachine, _ result: inout StepResult
  ) {
    if let place = action.tablesAt { layout.tableCursor = place }
    let pointer = action.pointer ?? scenario.machine.nested?.pointer ?? 0
    do {
      result.isDone = try nesting.map(action, pointer: pointer) {
        nextTable(below: .max) { machine.clear($0, vcpu: 0) }
      }
      if !result.isDone { result.problem = "entering a guest on that pointer would fail" }
    } catch {
      result.problem = words(error)
    }
  }
}
