public import Paging

/// Large pages without X (SPEC T6): some processors stop when a large page that they fetch from is
/// split. A fetch makes its page small and executable; after a while the large page comes back.
///
/// **Source** KVM behaviour (`nx_huge_pages`).
extension TDPMMU {
  /// How many large pages gave way, and how many came back.
  public var nxCounts: NXHugePageCounts { nxSplits.counts }

  /// A share of the splits that one period gives back: all in an hour of minutes. **Units** periods.
  public static var nxRecoveryPeriods: Int { 60 }

  /// Gives the oldest tables of small executable pages back, as many as the policy says; the next read
  /// or write maps a large page, the next fetch splits it anew. Slots whose writes are logged are left
  /// out: their pages stay small anyway.
  ///
  /// - Returns: how many tables went.
  @discardableResult
  public func recoverNXHugePages() -> Int {
    let spaces = memory.spaceSlots
    let splits = nxSplits.oldestFirst.filter { split in
      spaces.allSatisfy { slots in
        var hint = 0
        return slots.slot(for: split.frames.lowerBound, hint: &hint)?.activeLog == nil
      }
    }
    let standard = (splits.count + Self.nxRecoveryPeriods - 1) / Self.nxRecoveryPeriods
    let wanted = policy.nxRecovery(splitCount: splits.count, standard: standard)
    var recovered = 0
    for split in splits.prefix(max(wanted, 0)) where nxSplits.contains(split.table) {
      zap(split.frames, because: .nxRecovery)
      nxSplits.noteRecovery()
      recovered += 1
    }
    return recovered
  }

  /// Whether a small part of a large page may be executed: it was denied that for being large alone.
  @inlinable
  func returnsExecution(to gfn: GFN) -> Bool {
    nxHugePages && !policy.withheldPermissions(gfn: gfn).contains(.execute)
  }

  /// Notes a table that was linked where a large page would be, but for a fetch.
  @usableFromInline
  func noteNXSplit(_ table: PFN, at level: Level, for gfn: GFN) {
    let first = GFN(gfn.rawValue & ~(span(of: level) &- 1))
    nxSplits.add(table, mapping: first..<first.wrappingAdd(span(of: level)))
  }

  /// Gives a table page back. **Requires** that nobody can walk it any more.
  @inlinable
  func giveBack(_ table: PFN) {
    nxSplits.remove(table)
    pacing.step(.tablePool, isChange: true)
    pool.give(back: table)
  }
}
