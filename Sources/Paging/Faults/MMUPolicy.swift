/// A fault as policies see it.
@frozen
public struct FaultInfo: Sendable, Hashable {
  /// The guest physical address that was asked for.
  public let gpa: GPA
  /// The guest virtual address, where hardware says it.
  public let gva: GVA?
  /// What was asked.
  public let kind: AccessKind
  /// Whether the guest was in user mode.
  public let isUser: Bool
  /// Whether a memslot holds the address.
  public let hasSlot: Bool
  /// The largest level that slot, host backing and guest allow.
  public let largestLevel: Level
  /// Which vCPU faulted.
  public let vcpu: Int

  /// A fault.
  @inlinable
  public init(
    gpa: GPA, gva: GVA?, kind: AccessKind, isUser: Bool, hasSlot: Bool, largestLevel: Level,
    vcpu: Int
  ) {
    self.gpa = gpa
    self.gva = gva
    self.kind = kind
    self.isUser = isUser
    self.hasSlot = hasSlot
    self.largestLevel = largestLevel
    self.vcpu = vcpu
  }
}

/// What a policy says of a fault, mildest first.
@frozen
public enum FaultVerdict: Sendable, Hashable {
  /// Go on as the MMU would.
  case proceed
  /// Treat the access as MMIO, slot or not.
  case emulate
  /// Raise an exception in the guest.
  case inject(vector: UInt8, errorCode: UInt32)
  /// Refuse: the access ends with an error.
  case deny
  /// Stop the machine and say so.
  case exit

  /// How strict the verdict is; of several policies the strictest verdict counts.
  @inlinable
  public var strictness: Int {
    switch self {
    case .proceed: 0
    case .emulate: 1
    case .inject: 2
    case .deny: 3
    case .exit: 4
    }
  }
}

/// What may be decided differently without touching the MMU: asked once a fault, never once a walk.
///
/// Every requirement has a default that changes nothing.
public protocol MMUPolicy: Sendable {
  /// How the MMU's threads take turns.
  associatedtype Pacing: MMUPacing = FreeRunning
  /// How the MMU's threads take turns; asked for once, when the MMU is composed.
  var pacing: Pacing { get }
  /// What becomes of a fault.
  func verdict(on fault: FaultInfo) -> FaultVerdict
  /// The largest level to map; answers above what is allowed are lowered to it.
  func mappingLevel(for fault: FaultInfo) -> Level
  /// The permissions to take away from a new leaf, asked of the frame that faulted.
  ///
  /// A leaf above 4 KiB maps other frames too: a policy that withholds from single frames lowers
  /// `mappingLevel(for:)` around them.
  func withheldPermissions(gfn: GFN) -> Permissions
  /// The memory type of a new leaf, and whether it wins over the guest's PAT; `nil` for the default.
  func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)?
  /// How many neighbours to map with the page of a fault, for an MMU that prefetches (SPEC F9).
  ///
  /// - Parameters:
  ///   - fault: what was asked, and where.
  ///   - standard: what counts without a policy. **Units** entries, the fault's included.
  func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int
  /// After how many writes in a row the shadow of a guest's table goes, for a shadow MMU (F8).
  func floodThreshold(gfn: GFN, standard: Int) -> Int
  /// How many pages that were split for execution are made large again in one period (T6).
  ///
  /// - Parameters:
  ///   - splitCount: how many there are; answers above it are lowered to it.
  ///   - standard: what counts without a policy.
  func nxRecovery(splitCount: Int, standard: Int) -> Int
  /// Which table goes when the pool is short (T9): an index of `candidates`, or `nil` for the
  /// MMU's own choice.
  func zapChoice(among candidates: [ZapCandidate]) -> Int?
}

/// A table that could go when the pool of table pages is short.
public struct ZapCandidate: Sendable, Hashable {
  /// The first guest frame that it maps.
  public let gfn: GFN
  /// Its level.
  public let level: Level
  /// Since it was used. **Units** faults; under a second level, whose hardware does not tell, since it
  /// was linked, in faults that linked a table.
  public let age: UInt64

  /// A candidate.
  public init(gfn: GFN, level: Level, age: UInt64) {
    self.gfn = gfn
    self.level = level
    self.age = age
  }
}

extension MMUPolicy where Pacing == FreeRunning {
  /// They do not.
  @inlinable
  public var pacing: FreeRunning { FreeRunning() }
}

extension MMUPolicy {
  /// Goes on.
  @inlinable
  public func verdict(on fault: FaultInfo) -> FaultVerdict { .proceed }
  /// As large as allowed.
  @inlinable
  public func mappingLevel(for fault: FaultInfo) -> Level { fault.largestLevel }
  /// Nothing.
  @inlinable
  public func withheldPermissions(gfn: GFN) -> Permissions { [] }
  /// The default.
  @inlinable
  public func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)? { nil }
  /// The standard.
  @inlinable
  public func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int { standard }
  /// The standard.
  @inlinable
  public func floodThreshold(gfn: GFN, standard: Int) -> Int { standard }
  /// The standard.
  @inlinable
  public func nxRecovery(splitCount: Int, standard: Int) -> Int { standard }
  /// The MMU's own.
  @inlinable
  public func zapChoice(among candidates: [ZapCandidate]) -> Int? { nil }
}

/// The policy that changes nothing.
@frozen
public struct DefaultPolicy: MMUPolicy {
  /// The default policy.
  @inlinable
  public init() {}
}

/// Several policies on one machine: the strictest verdict, the smallest level, all that any
/// withholds, the last memory type (SPEC H4).
public struct PolicyStack: MMUPolicy {
  /// The policies, in the order in which they were given.
  public let policies: [any MMUPolicy]

  /// A stack.
  public init(_ policies: [any MMUPolicy]) { self.policies = policies }

  /// The strictest; of equally strict ones the first.
  public func verdict(on fault: FaultInfo) -> FaultVerdict {
    var result = FaultVerdict.proceed
    for policy in policies {
      let verdict = policy.verdict(on: fault)
      if verdict.strictness > result.strictness { result = verdict }
    }
    return result
  }

  // PERF: fault.shadow; loops, since arrays of answers would be on the heap once a fault.

  /// The smallest.
  public func mappingLevel(for fault: FaultInfo) -> Level {
    var least: Level?
    for policy in policies {
      let level = policy.mappingLevel(for: fault)
      least = min(least ?? level, level)
    }
    return least ?? fault.largestLevel
  }

  /// All that any policy withholds.
  public func withheldPermissions(gfn: GFN) -> Permissions {
    var withheld: Permissions = []
    for policy in policies { withheld.formUnion(policy.withheldPermissions(gfn: gfn)) }
    return withheld
  }

  /// The last answer.
  public func memoryType(gfn: GFN) -> (type: MemoryType, ignoresPAT: Bool)? {
    for policy in policies.reversed() {
      if let answer = policy.memoryType(gfn: gfn) { return answer }
    }
    return nil
  }

  /// The smallest.
  public func prefetchWindow(for fault: FaultInfo, standard: Int) -> Int {
    least(standard) { $0.prefetchWindow(for: fault, standard: standard) }
  }

  /// The smallest.
  public func floodThreshold(gfn: GFN, standard: Int) -> Int {
    least(standard) { $0.floodThreshold(gfn: gfn, standard: standard) }
  }

  /// The smallest.
  public func nxRecovery(splitCount: Int, standard: Int) -> Int {
    least(standard) { $0.nxRecovery(splitCount: splitCount, standard: standard) }
  }

  /// The last answer.
  public func zapChoice(among candidates: [ZapCandidate]) -> Int? {
    for policy in policies.reversed() {
      if let choice = policy.zapChoice(among: candidates) { return choice }
    }
    return nil
  }

  private func least(_ standard: Int, _ ask: (any MMUPolicy) -> Int) -> Int {
    var least: Int?
    for policy in policies {
      let answer = ask(policy)
      least = min(least ?? answer, answer)
    }
    return least ?? standard
  }
}
