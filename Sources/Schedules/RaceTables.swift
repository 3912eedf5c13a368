package import MMU
package import Machine
package import Paging
package import X86
package import X86Guest

/// What the threads of a race do to the tables, whatever their format. One indirect call an operation,
/// which no schedule notices.
package protocol RaceTables: Sendable {
  @discardableResult
  func zap(_ range: Range<GFN>) -> Int
  @discardableResult
  func age(_ range: Range<GFN>, clearing: Bool) -> Int
  @discardableResult
  func unmapHost(_ range: Range<GFN>, _ change: () -> Void) -> Int
  func splitLargePages(in range: Range<GFN>, budget: Int) -> (splits: Int, isComplete: Bool)
  func collapse(in range: Range<GFN>) -> Int
  func invalidateAll()
  func synchronize()
  func updateSlots(
    dropping range: Range<GFN>, _ change: (MemslotTable) throws(MemslotError) -> MemslotTable
  ) throws(MemslotError)
  func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, isInitiallySet: Bool, usesRings: Bool, splitBudget: Int
  ) throws(DirtyLogError)
  func stopDirtyLog(slot id: Int) throws(DirtyLogError)
  func dirtyPages(ofSlot id: Int, clearing: Bool) throws(DirtyLogError) -> [UInt64]
  func harvestDirtyRings() -> [DirtyRingEntry]
  @discardableResult
  func resetDirtyRings() -> [DirtyRingEntry]
  @discardableResult
  func trackWrites(to frames: Range<GFN>, by tracker: some WriteTracker) -> Int
  func stopTrackingWrites(_ id: Int)
  func audit() -> [String]
  /// What a place holds, where one word says it all.
  func content(of place: SharedPlace) -> UInt64?
  /// A machine of vCPUs that take turns.
  func makeMachine(_ guests: [X86Processor], _ turns: Turns) throws -> any RaceMachine
}

extension RaceTables {
  package func startDirtyLog(
    slot id: Int, _ method: DirtyMethod, usesRings: Bool = false
  ) throws(DirtyLogError) {
    try startDirtyLog(
      slot: id, method, isInitiallySet: false, usesRings: usesRings, splitBudget: 0)
  }
}

extension TDPMMU: RaceTables where Policy == RacePolicy {
  package func makeMachine(_ guests: [X86Processor], _ turns: Turns) throws -> any RaceMachine {
    guard let tlb = TLBGeometry(entries: 8, ways: 2) else { preconditionFailure("a legal shape") }
    return try Machine(guests: guests, mmu: PacedMMU(base: self, turns: turns), tlb: tlb)
  }
}

/// The vCPUs of a race.
package protocol RaceMachine: Sendable {
  func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, value: UInt64
  ) -> AccessReport<X86Fault>
  /// The root table of a vCPU.
  func root(of vcpu: Int) -> PFN
}

extension Machine: RaceMachine where Guest == X86Processor, MMU.CPU == TDPContext {
  package func access(
    _ vcpu: Int, _ access: X86Access, at gva: GVA, value: UInt64
  ) -> AccessReport<X86Fault> {
    self.vcpu(vcpu, access: access, at: gva, size: 8, value: UInt128(value))
  }

  package func root(of vcpu: Int) -> PFN { vcpus[vcpu].mmuState.root }
}
