public import Paging
import X86TDX

extension TDXMMU {
  /// Handles an exit. A #VE is the guest's; a private page is added by the module; a shared one is
  /// mapped by the host, and shared MMIO left to the guest.
  public func handle(
    _ exit: Exit, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    cpu.lastException = nil
    switch exit {
    case .exception(let area, _):
      cpu.lastException = area
      return .inject(vector: VirtualizationExceptionArea.vector, errorCode: 0)
    case .shared(let exit):
      // Out of the domain while the host works: the shared half may wait for others who track.
      module.exit(vcpu: cpu.index)
      let outcome = shared.handle(exit, on: &cpu, observer)
      guard case .emulate(let gpa) = outcome else { return outcome }
      // The entry that is there now makes the guest's next try a #VE; where none could be kept the
      // host raises it.
      return hasMMIOEntry(gpa.frame, on: cpu)
        ? .fixed : .inject(vector: VirtualizationExceptionArea.vector, errorCode: 0)
    case .secure(let exit):
      // The module is asked from outside, so that nobody who waits for the vCPUs is held up.
      self.exit(&cpu)
      return addPrivate(exit, on: &cpu, observer)
    }
  }

  /// Adds the private page that a vCPU asked for, as large as slot, attributes and policy let it be.
  private func addPrivate(
    _ exit: Encoder.Format.Fault, on cpu: inout TDPContext, _ observer: borrowing some MMUObserver
  ) -> FaultOutcome {
    let gfn = exit.gpa.frame
    cpu.counters.memslotSearches += 1
    let largest = largestPrivateLevel(gfn)
    shared.notify(observer, .memslotSearch(gfn: gfn, found: largest != nil))
    let info = FaultInfo(
      gpa: exit.gpa, gva: exit.gva, kind: exit.kind, isUser: false, hasSlot: largest != nil,
      largestLevel: largest ?? .pageTable, vcpu: cpu.index)
    let verdict = shared.policy.verdict(on: info)
    if verdict != .proceed { shared.notify(observer, .verdict(verdict, gpa: exit.gpa)) }
    switch verdict {
    // Nobody but the guest can do an access to private memory.
    case .proceed, .emulate: break
    case .inject(let vector, let code): return .inject(vector: vector, errorCode: code)
    case .deny: return .failed(.denied(exit.gpa))
    case .exit: return .failed(.stopped(exit.gpa))
    }
    guard let largest else { return .failed(.memoryFault(exit.gpa, isPrivate: true)) }
    var level = max(min(shared.policy.mappingLevel(for: info), largest), .pageTable)
    while true {
      do throws(TDXError) {
        try augment(gfn.roundedDown(to: level.pageSize), level)
        cpu.counters.fixed += 1
        cpu.counters.spteInstalls += 1
        return .fixed
      } catch .module(.eptEntryNotFree) where level > .pageTable {
        // A table is there already: smaller, rather than taking it away from others.
        level = level.below
      } catch .module(.eptEntryNotFree) {
        guard !isBlocked(gfn) else {
          return .failed(.refused(exit.gpa, reason: "its entry is blocked"))
        }
        cpu.counters.spurious += 1
        return .spurious
      } catch .module(.pageSizeMismatch) {
        cpu.counters.spurious += 1
        return .spurious
      } catch .shared where level > .pageTable {
        // The large page's first frame has become shared since; the one that was asked for may not have.
        level = level.below
      } catch .shared {
        return .failed(.memoryFault(exit.gpa, isPrivate: true))
      } catch .unbacked {
        return .failed(.memoryFault(exit.gpa, isPrivate: true))
      } catch .tablePagesExhausted(let limit) {
        return .failed(.tablePagesExhausted(limit: limit))
      } catch {
        return .failed(.refused(exit.gpa, reason: "\(error)"))
      }
    }
  }

  /// The largest level at which the private page of a frame may be mapped; `nil` where it has none.
  ///
  /// TDH.MEM.PAGE.AUG takes pages of 4 KiB and 2 MiB.
  func largestPrivateLevel(_ gfn: GFN) -> Level? {
    var hint = 0
    guard attributes.isPrivate(gfn),
      let slot = memory.slots.slot(for: gfn, hint: &hint)?.privateSide
    else { return nil }
    let limit = attributes.largestLevel(
      for: gfn, upTo: min(shared.encoder.largestLeafLevel, .directory))
    return slot.largestLevel(for: gfn, upTo: limit)
  }

  private func isBlocked(_ gfn: GFN) -> Bool {
    var level = module.rootLevel
    while true {
      let entry = module.entry(gfn, level)
      if entry.state.isBlocked { return true }
      guard level > .pageTable else { return false }
      level = level.below
    }
  }

  private func hasMMIOEntry(_ gfn: GFN, on cpu: TDPContext) -> Bool {
    var table = cpu.root
    var level = shared.encoder.rootLevel
    while true {
      let spte = shared.load(shared.entry(for: gfn, in: table, at: level))
      if shared.encoder.isMMIO(spte) { return true }
      guard level > .pageTable, shared.encoder.isPresent(spte),
        !shared.encoder.isLeaf(spte, at: level)
      else { return false }
      table = shared.encoder.pfn(of: spte)
      level = level.below
    }
  }
}

extension Level {
  /// The size of a page that a leaf of the level maps.
  var pageSize: PageSize { PageSize(shift: 3 + 9 * rawValue) }
}
