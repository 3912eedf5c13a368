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
