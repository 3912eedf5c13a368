public import Paging

/// What a step does.
public enum Action: Sendable {
  /// A guest access.
  case access(AccessAction)
  /// Builds guest tables.
  case map(MapAction)
  /// Writes guest memory from outside.
  case poke(PokeAction)
  /// INVLPG.
  case invalidatePage(GVA, vcpu: Int)
  /// MOV to a register.
  case setRegister(GuestRegister, UInt64, vcpu: Int)
  /// The same access again and again.
  case repeated(RepeatAction)
  /// A change of the memslots.
  case memslot(MemslotAction)
  /// Steps of several vCPUs at once.
  case parallel(ParallelAction)
  /// The accesses of a trace.
  case replay(ReplayAction)
  /// A check of the tables.
  case audit
  /// What the host does to the tables.
  case maintenance(MaintenanceAction)
  /// An interrupt to system-management mode, or the end of one.
  case systemManagement(enter: Bool, vcpu: Int)
  /// Brings so many pages that are missing.
  case fetchPages(Int)
  /// Keeps the machine under a name.
  case snapshot(String)
  /// Puts the machine back to what it was.
  case restore(String)
  /// What the hypervisor inside the guest does to its guest's second level.
  case nesting(NestingAction)
  /// What guest and host do to private memory.
  case privateMemory(PrivateMemoryAction)

  /// The step's word.
  public var name: String {
    switch self {
    case .access(let access): access.kind.description
    case .map: ActionName.map.rawValue
    case .poke: ActionName.poke.rawValue
    case .invalidatePage: ActionName.invalidatePage.rawValue
    case .setRegister: ActionName.setRegister.rawValue
    case .repeated: ActionName.repeated.rawValue
    case .memslot: ActionName.memslot.rawValue
    case .parallel: ActionName.parallel.rawValue
    case .replay: ActionName.replay.rawValue
    case .audit: ActionName.audit.rawValue
    case .maintenance(let action): action.name.rawValue
    case .systemManagement: ActionName.systemManagement.rawValue
    case .fetchPages: ActionName.fetchPages.rawValue
    case .snapshot: ActionName.snapshot.rawValue
    case .restore: ActionName.restore.rawValue
    case .nesting(let action): action.name.rawValue
    case .privateMemory(let action): action.name.rawValue
    }
  }
}
