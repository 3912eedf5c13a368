public import Paging

/// One step of a scenario.
public struct Step: Sendable {
  /// The line of the step.
  public var line: Int
  /// What is done.
  public var action: Action
  /// What must come of it.
  public var expectation: Expectation?
}

/// The words by which a scenario calls its steps.
public enum ActionName: String, Sendable, CaseIterable {
  /// Accesses.
  case read, write, fetch
  /// Guest tables and memory, changed from outside.
  case map, poke
  /// INVLPG.
  case invalidatePage = "invlpg"
  /// MOV to a register.
  case setRegister = "set-register"
  /// The same access again and again.
  case repeated = "repeat"
  /// A change of the memslots.
  case memslot
  /// Steps of several vCPUs at once.
  case parallel
  /// The accesses of a trace.
  case replay
  /// A check of the tables.
  case audit
  /// What the host does to the tables.
  case dirtyLog = "dirty-log"
  case age
  case hostUnmap = "host-unmap"
  case nxRecovery = "nx-recovery"
  /// A system-management interrupt, and its end.
  case systemManagement = "smm"
  /// Pages that come before anybody needs them.
  case fetchPages = "fetch-pages"
  /// The whole machine, kept and put back.
  case snapshot, restore
  /// What the hypervisor inside the guest does to its guest's second level.
  case nestedMap = "nested-map"
  case nestedEnter = "nested-enter"
  case invept, invvpid
  /// Private and shared memory.
  case convert, accept, tdx

  /// What a vCPU may do while others run.
  static var laneCases: [ActionName] {
    [.read, .write, .fetch, .invalidatePage, .setRegister, .repeated, .convert, .accept]
  }
}

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

/// A register that a step may set.
public enum GuestRegister: String, Sendable, CaseIterable {
  /// A control register, IA32_EFER, or the keys of user and supervisor pages.
  case cr0, cr3, cr4, efer, pkru, pkrs

  /// What fits it.
  var range: ClosedRange<UInt64> {
    self == .pkru || self == .pkrs ? 0...0xFFFF_FFFF : 0...UInt64.max
  }
}

/// A guest access.
public struct AccessAction: Sendable {
  /// How the bytes read are shown.
  public enum Form: Sendable, Hashable {
    /// A little-endian number.
    case number
    /// Printable text.
    case text
    /// Bytes in hex.
    case bytes
  }

  /// Read, write or fetch.
  public var kind: AccessKind
  /// Where.
  public var va: GVA
  /// **Units** bytes; above 16 the step is split into accesses of 16.
  public var size: Int
  /// What is written.
  public var value: UInt128
  /// Whether in user mode.
  public var isUser: Bool
  /// RFLAGS.AC.
  public var alignmentCheck: Bool
  /// Whether no instruction asked for it.
  public var isImplicit: Bool
  /// Which vCPU.
  public var vcpu: Int
  /// How it is shown.
  public var form: Form

  /// The most bytes one step reads.
  public static var largestSize: Int { 4096 }
}

/// Builds guest tables.
public struct MapAction: Sendable {
  /// The first address.
  public var va: GVA
  /// Where it leads.
  public var gpa: GPA
  /// **Units** bytes.
  public var byteCount: UInt64
  /// What the entries grant.
  public var permissions: Permissions
  /// The size of the pages.
  public var pageSize: PageSize
  /// Where new tables are put, one page after the other; `nil` to go on where the last `map` ended.
  public var tablesAt: GPA?
  /// Whose tables.
  public var vcpu: Int

  /// The most pages one step maps.
  public static var largestCount: UInt64 { 1 << 22 }
}

/// Writes guest memory from outside, as another device or a debugger would.
public struct PokeAction: Sendable {
  /// Where.
  public var gpa: GPA
  /// What.
  public var bytes: [UInt8]
}

/// The same access again and again.
public struct RepeatAction: Sendable {
  /// How addresses follow each other.
  public enum Pattern: Sendable, Hashable {
    /// Upwards by the access's size.
    case sequential
    /// By a seeded generator, aligned to the access's size.
    case random(seed: UInt64)
  }

  /// How often.
  public var count: Int
  /// Which addresses.
  public var pattern: Pattern
  /// Between these, the end exclusive.
  public var range: Range<UInt64>
  /// What is done; the address is replaced.
  public var access: AccessAction

  /// The most accesses one step does.
  public static var largestCount: UInt64 { 100_000_000 }
}

/// A change of the memslots; slots are known by their first byte.
public enum MemslotAction: Sendable {
  /// A new slot of zeroed memory, or of none.
  case add(MachineSpec.Region)
  /// The slot goes; its memory stays unused.
  case remove(GPA)
  /// The slot's memory is shown elsewhere.
  case move(GPA, to: GPA)
  /// The slot becomes read-only, or writable.
  case flags(GPA, isReadOnly: Bool)
}

/// Steps of several vCPUs at once, each on a thread of its own.
public struct ParallelAction: Sendable {
  /// What one vCPU does, one after the other.
  public struct Lane: Sendable {
    /// Which vCPU; no two lanes have the same.
    public var vcpu: Int
    /// What it does.
    public var actions: [Action]
  }

  /// The vCPUs' steps.
  public var lanes: [Lane]
}

/// The accesses of a trace, in its order.
public struct ReplayAction: Sendable {
  /// The line of the step.
  public var line: Int
  /// The trace, relative to the scenario file.
  public var path: String
}
