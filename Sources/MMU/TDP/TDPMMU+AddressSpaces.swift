import Paging

extension TDPMMU {
  /// The space whose slots the vCPU sees.
  public func addressSpace(of cpu: TDPContext) -> AddressSpace { cpu.space }

  /// Moves the vCPU to another space: to its root, its slots and its generation (SPEC T2).
  public func move(_ cpu: inout TDPContext, to space: AddressSpace) -> Bool {
    guard memory.spaces.contains(space) else { return false }
    if space == cpu.space { return true }
    drainModificationLog(&cpu)
    exit(&cpu)
    waitForRoots()
    roots.drop(cpu.root, emptying: freeChildren)
    cpu.space = space
    cpu.modificationLog.begin(space)
    (cpu.root, cpu.rootEpoch, cpu.rootEra) = roots.take(space)
    cpu.lastMMIO = nil
    cpu.needsFlush = true
    // As if an update were under way: the next fault takes the slots.
    cpu.generation = GuestMemory.updateInProgress
    return true
  }
}
