public import X86Guest

extension Machine where Guest == X86Processor {
  /// Whether a vCPU is in system-management mode.
  public func isInSystemManagement(vcpu index: Int) -> Bool {
    vcpus[index].state.isInSystemManagement
  }

  /// A system-management interrupt of one vCPU; false where it cannot be.
  public func vcpuEntersSystemManagement(_ index: Int) -> Bool {
    vcpus[index].state.enterSystemManagement()
  }

  /// RSM on one vCPU; false where it is not in the mode.
  public func vcpuLeavesSystemManagement(_ index: Int) -> Bool {
    vcpus[index].state.leaveSystemManagement()
  }
}
