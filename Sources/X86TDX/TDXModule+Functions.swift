public import Paging

extension TDXModule {
  /// TDH.MEM.SEPT.ADD: links a table of the level below. **Requires** a level above 1.
  public func septAdd(_ gfn: GFN, _ level: Level, page: PFN) -> TDXStatus {
    guard level > .pageTable else { return .operandInvalid }
    return call(gfn, level) { state in
      guard state[gfn, level].state == .free else { return .eptEntryNotFree }
      guard state.pagesInUse.insert(page).inserted else { return .eptPageNotFree }
      state[gfn, level] = SecureEntry(state: .nonLeafMapped, pfn: page)
      return .success
    }
  }

  /// TDH.MEM.PAGE.ADD: maps a page with contents, before the domain is finalized.
  public func pageAdd(_ gfn: GFN, page: PFN) -> TDXStatus {
    call(gfn, .pageTable) { state in
      guard !state.isFinalized else { return .opStateIncorrect }
      return Self.map(gfn, .pageTable, page, .mapped, &state)
    }
  }

  /// TDH.MEM.PAGE.AUG: maps a page that the guest must accept, after the domain is finalized.
  public func pageAug(_ gfn: GFN, _ level: Level, page: PFN) -> TDXStatus {
    guard level <= .directoryPointer else { return .operandInvalid }
    return call(gfn, level) { state in
      guard state.isFinalized else { return .opStateIncorrect }
      return Self.map(gfn, level, page, .pending, &state)
    }
  }

  private static func map(
    _ gfn: GFN, _ level: Level, _ page: PFN, _ to: SecureEntryState, _ state: inout State
  ) -> TDXStatus {
    guard state[gfn, level].state == .free else { return .eptEntryNotFree }
    guard state.pagesInUse.insert(page).inserted else { return .eptPageNotFree }
    state[gfn, level] = SecureEntry(state: to, pfn: page)
    return .success
  }

  /// TDG.MEM.PAGE.ACCEPT, a function of the guest: a pending page becomes the guest's, zeroed.
  ///
  /// - Parameters:
  ///   - gfn: the guest frame.
  ///   - level: the level of the entry.
  ///   - zero: clears the page.
  public func pageAccept(_ gfn: GFN, _ level: Level, zero: (PFN) -> Void) -> TDXStatus {
    guard level <= .directoryPointer else { return .operandInvalid }
    return call(gfn, level) { state in
      switch state[gfn, level].state {
      case .pending:
        zero(state[gfn, level].pfn)
        state[gfn, level].state = .mapped
        return .success
      case .mapped, .writeBlocked: return .pageAlreadyAccepted
      case .nonLeafMapped, .nonLeafBlocked: return .pageSizeMismatch
      case .free, .removed: return .eptEntryFree
      case .blocked, .pendingBlocked: return .eptEntryStateIncorrect
      }
    }
  }

  /// TDH.MEM.RANGE.BLOCK: no new translation uses the entry.
  public func rangeBlock(_ gfn: GFN, _ level: Level) -> TDXStatus {
    call(gfn, level) { state in
      let blocked: SecureEntryState
      switch state[gfn, level].state {
      case .mapped, .writeBlocked: blocked = .blocked
      case .pending: blocked = .pendingBlocked
      case .nonLeafMapped: blocked = .nonLeafBlocked
      case .blocked, .pendingBlocked, .nonLeafBlocked: return .gpaRangeAlreadyBlocked
      case .free, .removed: return .eptEntryFree
      }
      state[gfn, level].state = blocked
      state[gfn, level].blockEpoch = state.epoch
      return .success
    }
  }

  /// TDH.MEM.TRACK: opens a new epoch.
  public func track() -> TDXStatus {
    call { state in
      if state.inside.values.contains(where: { $0 < state.epoch }) {
        return .previousTLBEpochBusy
      }
      state.epoch += 1
      return .success
    }
  }

  /// TDH.MEM.RANGE.UNBLOCK: undoes a block.
  public func rangeUnblock(_ gfn: GFN, _ level: Level) -> TDXStatus {
    call(gfn, level) { state in
      let entry = state[gfn, level]
      let back: SecureEntryState
      switch entry.state {
      case .blocked: back = .mapped
      case .pendingBlocked: back = .pending
      case .nonLeafBlocked: back = .nonLeafMapped
      default: return .gpaRangeNotBlocked
      }
      guard Self.isTracked(entry, state) else { return .tlbTrackingNotDone }
      state[gfn, level].state = back
      return .success
    }
  }

  /// TDH.EXPORT.BLOCKW, for one page: it may be read, not written.
  public func blockWrites(_ gfn: GFN) -> TDXStatus {
    call(gfn, .pageTable) { state in
      guard state[gfn, .pageTable].state == .mapped else { return .eptEntryStateIncorrect }
      state[gfn, .pageTable].state = .writeBlocked
      state[gfn, .pageTable].blockEpoch = state.epoch
      return .success
    }
  }

  /// TDH.EXPORT.UNBLOCKW, for one page.
  public func unblockWrites(_ gfn: GFN) -> TDXStatus {
    call(gfn, .pageTable) { state in
      let entry = state[gfn, .pageTable]
      guard entry.state == .writeBlocked else { return .eptEntryStateIncorrect }
      guard Self.isTracked(entry, state) else { return .tlbTrackingNotDone }
      state[gfn, .pageTable].state = .mapped
      return .success
    }
  }

  /// TDH.MEM.PAGE.REMOVE: takes away a page that is blocked and that no processor can hold.
  public func pageRemove(_ gfn: GFN, _ level: Level) -> TDXStatus {
    call(gfn, level) { state in
      let entry = state[gfn, level]
      switch entry.state {
      case .blocked, .pendingBlocked: break
      case .free, .removed: return .eptEntryFree
      case .mapped, .pending, .writeBlocked: return .gpaRangeNotBlocked
      case .nonLeafMapped, .nonLeafBlocked: return .eptEntryStateIncorrect
      }
      guard Self.isTracked(entry, state) else { return .tlbTrackingNotDone }
      state.pagesInUse.remove(entry.pfn)
      state[gfn, level] = SecureEntry(state: .free, pfn: PFN(0))
      return .success
    }
  }

  /// TDH.MEM.SEPT.REMOVE: takes away an empty, blocked table.
  public func septRemove(_ gfn: GFN, _ level: Level) -> TDXStatus {
    guard level > .pageTable else { return .operandInvalid }
    return call(gfn, level) { state in
      let entry = state[gfn, level]
      guard entry.state == .nonLeafBlocked else {
        return entry.state == .nonLeafMapped ? .gpaRangeNotBlocked : .eptEntryStateIncorrect
      }
      guard Self.isTracked(entry, state) else { return .tlbTrackingNotDone }
      guard Self.children(of: gfn, level).allSatisfy({ state[$0, level.below].state == .free })
      else { return .eptEntryStateIncorrect }
      state.pagesInUse.remove(entry.pfn)
      state[gfn, level] = SecureEntry(state: .free, pfn: PFN(0))
      return .success
    }
  }

  /// TDH.MEM.PAGE.PROMOTE: 512 accepted pages of one run become one large page.
  ///
  /// - Returns: the table's page, which is free now.
  public func pagePromote(_ gfn: GFN, _ level: Level) -> Result<PFN, TDXStatus> {
    guard level > .pageTable, level <= .directoryPointer else { return .failure(.operandInvalid) }
    var freed = PFN(0)
    let status = call(gfn, level) { state in
      let table = state[gfn, level]
      guard table.state == .nonLeafBlocked else { return .gpaRangeNotBlocked }
      guard Self.isTracked(table, state) else { return .tlbTrackingNotDone }
      let first = state[gfn, level.below].pfn
      let step = (1 as UInt64) << UInt64(9 * (level.rawValue - 2))
      for (index, child) in Self.children(of: gfn, level).enumerated() {
        let entry = state[child, level.below]
        guard entry.state == .mapped, first.rawValue % (step * 512) == 0,
          entry.pfn == first.wrappingAdd(UInt64(index) * step)
        else { return .eptInvalidPromoteConditions }
      }
      for child in Self.children(of: gfn, level) {
        state.pagesInUse.remove(state[child, level.below].pfn)
        state[child, level.below] = SecureEntry(state: .free, pfn: PFN(0))
      }
      state.pagesInUse.remove(table.pfn)
      state.pagesInUse.insert(first)
      state[gfn, level] = SecureEntry(state: .mapped, pfn: first)
      freed = table.pfn
      return .success
    }
    return status == .success ? .success(freed) : .failure(status)
  }

  /// TDH.MEM.PAGE.DEMOTE: a blocked large page becomes 512 small ones, with a page for their table.
  public func pageDemote(_ gfn: GFN, _ level: Level, page: PFN) -> TDXStatus {
    guard level > .pageTable, level <= .directoryPointer else { return .operandInvalid }
    return call(gfn, level) { state in
      let large = state[gfn, level]
      guard large.state == .blocked || large.state == .pendingBlocked else {
        return large.state.isLeaf ? .gpaRangeNotBlocked : .eptEntryStateIncorrect
      }
      guard Self.isTracked(large, state) else { return .tlbTrackingNotDone }
      guard state.pagesInUse.insert(page).inserted else { return .eptPageNotFree }
      state.pagesInUse.remove(large.pfn)
      state[gfn, level] = SecureEntry(state: .nonLeafMapped, pfn: page)
      let step = (1 as UInt64) << UInt64(9 * (level.rawValue - 2))
      for (index, child) in Self.children(of: gfn, level).enumerated() {
        let pfn = large.pfn.wrappingAdd(UInt64(index) * step)
        state.pagesInUse.insert(pfn)
        state[child, level.below] = SecureEntry(
          state: large.state == .blocked ? .mapped : .pending, pfn: pfn)
      }
      return .success
    }
  }

  /// Whether every processor that is inside came in after the block was tracked.
  private static func isTracked(_ entry: SecureEntry, _ state: State) -> Bool {
    entry.blockEpoch < state.epoch && state.inside.values.allSatisfy { $0 > entry.blockEpoch }
  }

  private static func children(of gfn: GFN, _ level: Level) -> [GFN] {
    let step = (1 as UInt64) << UInt64(9 * (level.rawValue - 2))
    return (0..<512).map { gfn.wrappingAdd($0 * step) }
  }
}
