public import Paging
import X86TDX

extension TDXMMU {
  /// Adds pages with what the shared pages of their frames hold (TDH.MEM.PAGE.ADD).
  ///
  /// - Throws: `TDXError`; the pages before it stay added.
  public func add(_ range: Range<GFN>) throws(TDXError) {
    var gfn = range.lowerBound
    while gfn < range.upperBound {
      var hint = 0
      guard let source = memory.slots.slot(for: gfn, hint: &hint)?.pfn(of: gfn) else {
        throw .unbacked(gfn)
      }
      try withMirror { () throws(TDXError) in
        let page = try privatePage(gfn, .pageTable)
        let place = try linkedEntry(gfn, .pageTable)
        try replace(place, by: mirrorLeaf(page, .pageTable)) { module.pageAdd(gfn, page: page) }
        shared.host.view.copy(page: source, to: page)
      }
      gfn = gfn.wrappingAdd(1)
    }
  }

  /// Ends the building of the domain (TDH.MR.FINALIZE).
  public func finalize() throws(TDXError) { try require { module.finalize() } }

  /// Adds a page that the guest must accept (TDH.MEM.PAGE.AUG).
  public func augment(_ gfn: GFN, _ level: Level = .pageTable) throws(TDXError) {
    try withMirror { () throws(TDXError) in
      // Under the lock, or a frame of the page could have been made shared since.
      let fitting = level > .pageTable ? min(level, largestPrivateLevel(gfn) ?? level) : level
      let page = try privatePage(gfn, fitting)
      let place = try linkedEntry(gfn, fitting)
      try replace(place, by: mirrorLeaf(page, fitting)) {
        module.pageAug(gfn, fitting, page: page)
      }
      if fitting != level { throw .module(.pageSizeMismatch) }
    }
  }

  /// How often one acceptance may exit before it is given up as not getting on.
  private static var acceptBudget: Int { 64 }

  /// The guest accepts a page (TDG.MEM.PAGE.ACCEPT), which is zeroed. A page that is not there exits to
  /// the host, which adds it; again where the host took it away before the guest came back.
  ///
  /// - Returns: how often the vCPU left the guest for it.
  /// - Throws: `TDXError.module`: what the guest gets; other errors stop the guest.
  @discardableResult
  public func accept(_ gfn: GFN, _ level: Level = .pageTable) throws(TDXError) -> Int {
    guard module.isFinalized else { throw .module(.opStateIncorrect) }
    var exits = 0
    while true {
      let status = ask {
        module.pageAccept(gfn, level) { page in
          for index in 0..<level.pageSize.frames {
            shared.host.view.clear(page: page.wrappingAdd(index))
          }
        }
      }
      switch status {
      case .success: return exits
      case .eptEntryFree where exits < Self.acceptBudget,
        .eptWalkFailed where exits < Self.acceptBudget:
        exits += 1
        do throws(TDXError) {
          try augment(gfn, level)
        } catch .module(.eptEntryNotFree) {
          // Another vCPU was first.
          continue
        }
      default: throw .module(status)
      }
    }
  }
}

extension TDXMMU: TrustDomain {
  /// What the vCPU keeps of it.
  public func exceptionInformation(of cpu: TDPContext) -> VirtualizationExceptionArea? {
    cpu.lastException
  }

  /// By the shared bit: a shared frame's page, or what the secure EPT maps. While the domain is built,
  /// a page that is not added yet is the shared one that it will be made of.
  public func ownAddress(_ gpa: GPA, for kind: AccessKind) -> HPA? {
    let addressing = module.addressing
    guard !addressing.isTooWide(gpa) else { return nil }
    let stripped = addressing.stripped(gpa)
    let isPrivate = attributes.isPrivate(stripped.frame)
    if addressing.isShared(gpa) { return isPrivate ? nil : memory.hpa(of: stripped) }
    guard isPrivate else { return nil }
    let isFinalized = module.isFinalized
    if !isFinalized, module.entry(gpa.frame, .pageTable).state == .free {
      return memory.hpa(of: gpa)
    }
    guard isFinalized || kind != .write else { return nil }
    return try? module.translate(gpa, kind).get()
  }
}
