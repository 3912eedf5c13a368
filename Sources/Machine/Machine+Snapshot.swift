public import MMU
import Paging

extension Machine {
  /// What a snapshot of this machine is.
  public typealias Snapshot = MachineSnapshot<Guest, MMU>

  /// Keeps the machine as it is now. **Requires** that no vCPU runs and nobody changes memory or slots
  /// meanwhile.
  ///
  /// - Parameter tables: what becomes of the tables that hardware walks.
  /// - Throws: `SnapshotError`.
  public func snapshot(
    tables: Snapshot.Tables = .rebuilt
  ) throws(SnapshotError) -> MachineSnapshot<Guest, MMU> {
    guard mmu.tableRange != nil else { throw .unsupported }
    collectWrites()
    let (devices, leftOut) = bus.save()
    return MachineSnapshot(
      memory: try memory.snapshot(),
      vcpus: vcpus.map {
        Snapshot.VCPUPart(
          guest: $0.state.guest, faultAddress: $0.state.faultAddress,
          interrupted: $0.state.interrupted, space: mmu.addressSpace(of: $0.state.context))
      },
      tables: tables == .kept ? mmu.saveTables(of: vcpus.map { $0.state.context }) : nil,
      devices: devices, leftOut: leftOut)
  }

  /// Puts the machine back to what it was; as often as wanted, in any order of snapshots. **Requires**
  /// as `snapshot(tables:)`.
  ///
  /// - Throws: `SnapshotError`; `foreign` where it is not one of this machine, and then nothing
  ///   happened.
  public func restore(_ snapshot: MachineSnapshot<Guest, MMU>) throws(SnapshotError) {
    guard let tableRange = mmu.tableRange else { throw .unsupported }
    if snapshot.tables == nil { dropTables() }
    try memory.restore(snapshot.memory, sparing: snapshot.tables == nil ? tableRange : nil)
    if let tables = snapshot.tables {
      let contexts = mmu.restore(tables, for: vcpus.map { $0.state.context })
      for (vcpu, context) in zip(vcpus, contexts) { vcpu.state.context = context }
    }
    mmu.memoryRestored()
    bus.restore(snapshot.devices)
    for (vcpu, saved) in zip(vcpus, snapshot.vcpus) {
      vcpu.state.change { $0 = saved.guest }
      vcpu.state.faultAddress = saved.faultAddress
      vcpu.state.interrupted = saved.interrupted
      _ = mmu.move(&vcpu.state.context, to: saved.space)
      vcpu.state.drop(.everything, since: ledger?.now())
      mmu.registersChanged(
        saved.guest, dropping: .everything, on: &vcpu.state.context, observer)
    }
  }

  /// Moves what hardware has noted of writes to the logs.
  private func collectWrites() {
    guard let mmu = mmu as? any MaintainableMMU else { return }
    for slot in memory.slots.slots where slot.activeLog != nil {
      // It fails for a slot that is not there or not logged alone.
      _ = try? mmu.dirtyPages(ofSlot: slot.id, clearing: false)
    }
  }

  /// Drops the tables at once, not when each vCPU next enters: what hardware noted in them belongs to
  /// the logs of before.
  private func dropTables() {
    mmu.invalidateAll()
    for vcpu in vcpus {
      vcpu.state.enter()
      vcpu.state.leave()
    }
  }
}
