public import Paging
import Synchronization

/// The tables of a TDP MMU at one moment, but for what their pages hold.
public struct TDPTables: Sendable {
  let pool: TablePool.State
  let roots: TDPRoots.State
  let rootsEpoch: UInt64
  let nxSplits: [NXSplits.Split]
  let cpus: [TDPContext]
}

extension TDPMMU {
  /// Where the table pages lie.
  public var tableRange: Range<HPA>? { pool.range }

  /// Keeps the tables; not where writes are logged, since a leaf that was writable when its page was
  /// marked would let the writes after a restore pass unseen.
  public func saveTables(of cpus: [TDPContext]) -> TDPTables? {
    if memory.allSlots.contains(where: { $0.activeLog != nil }) { return nil }
    let (state, epoch) = roots.snapshot
    return TDPTables(
      pool: pool.snapshot, roots: state, rootsEpoch: epoch,
      nxSplits: nxSplits.oldestFirst, cpus: cpus)
  }

  /// Puts the tables back.
  public func restore(_ tables: TDPTables, for cpus: [TDPContext]) -> [TDPContext] {
    pool.restore(tables.pool)
    nxSplits.replace(by: tables.nxSplits)
    let epoch = roots.restore(tables.roots)
    return zip(tables.cpus, cpus).map { saved, now in
      var cpu = saved
      cpu.counters = now.counters
      cpu.needsFlush = true
      cpu.modificationLog.begin(cpu.space)
      if cpu.rootEpoch == tables.rootsEpoch { cpu.rootEpoch = epoch }
      return cpu
    }
  }

  /// Counts anew which slots find writes by D, and forgets what hardware logged of writes that are
  /// undone.
  public func memoryRestored() {
    for log in logs.withLock({ Array($0.values) }) { _ = log.modifications.drain() }
    let methods = memory.allSlots.compactMap { $0.activeLog?.method }
    dirtyBitUsers.store(
      methods.count { $0 != .writeProtect }, ordering: .sequentiallyConsistent)
    modificationLogUsers.store(
      methods.count { $0 == .pageModificationLog }, ordering: .sequentiallyConsistent)
  }
}
