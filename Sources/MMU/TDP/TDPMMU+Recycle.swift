public import Paging

/// What becomes of a pool of table pages that is dry (SPEC T9): tables go, oldest first or as the policy
/// says, and what they mapped is mapped anew when somebody asks for it. However a guest lays out its
/// memory, there are never more table pages than the limit.
extension TDPMMU {
  /// The tables of the lowest kind that one access of a vCPU may need at the same time: six walks of
  /// the second level (five entries of the guest's tables, and the page), for each of two pages.
  static var tablesOfOneAccess: Int { 12 }

  /// The most tables that the policy chooses from.
  static var largestChoice: Int { 64 }

  /// Makes room for a table. The vCPU is outside meanwhile, since the tables that go wait for all.
  ///
  /// - Returns: to try again; or the error, where so few tables are left that the access itself would
  ///   need them all.
  @usableFromInline
  func recycle(on cpu: inout TDPContext) -> FaultOutcome {
    exit(&cpu)
    defer { announce(&cpu) }
    // Another vCPU may have made room.
    if pool.hasRoom { return .retry }
    let count = recycleTables()
    guard count > 0 else { return .failed(.tablePagesExhausted(limit: pool.limit)) }
    cpu.counters.recycled += count
    return .retry
  }

  /// A table that has no table below it; it may be empty, but the youngest ones are what somebody is
  /// building just now.
  private struct Candidate {
    let table: PFN
    let level: Level
    let frames: Range<GFN>
  }

  private func recycleTables() -> Int {
    let vcpus = logs.withLock { $0.count }
    let all = withRoots { roots in
      var found: [Candidate] = []
      for root in roots { collect(root, at: encoder.rootLevel, first: 0, &found) }
      return found
    }
    guard all.count > Self.tablesOfOneAccess * vcpus else { return 0 }
    let ages = pool.ages(of: all.map(\.table))
    var choice = zip(all, ages).map { ($0, $1) }.sorted { $0.1 > $1.1 }
    choice.removeLast(max(0, choice.count - Self.largestChoice))
    // Several at once: looking for them costs as much as all tables hold.
    let wanted = max(2, min(8, all.count / 16))
    for _ in 0..<wanted {
      let offered = choice.map { ZapCandidate(gfn: $0.frames.lowerBound, level: $0.level, age: $1) }
      let index = policy.zapChoice(among: offered).flatMap {
        choice.indices.contains($0) ? $0 : nil
      }
      zap(choice.remove(at: index ?? 0).0.frames, because: .recycling)
    }
    return wanted
  }

  /// Finds the tables below an entry that have no table below them.
  private func collect(
    _ table: PFN, at level: Level, first: UInt64, _ found: inout [Candidate]
  ) {
    guard level > .pageTable else { return }
    forEachEntry(of: table, at: level, first: first, in: 0..<UInt64.max) { _, spte, gfn in
      guard encoder.isPresent(spte), !encoder.isLeaf(spte, at: level) else { return }
      let child = encoder.pfn(of: spte)
      let before = found.count
      collect(child, at: level.below, first: gfn, &found)
      guard found.count == before else { return }
      let frames = GFN(gfn)..<GFN(gfn &+ span(of: level))
      found.append(Candidate(table: child, level: level.below, frames: frames))
    }
  }
}
