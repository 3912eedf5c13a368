public import Paging

/// The part of the TDX module that owns a trust domain's secure EPT, as a component of its own.
///
/// Nobody else writes these entries. A function in the wrong order changes nothing and returns the
/// module's own error (SPEC E16).
///
/// **Not modelled** keys, measurement, migration streams, nested domains, page metadata (PAMT) beyond
/// "in use".
///
/// **Source** Intel TDX Module Base Architecture Specification, "Physical Memory Management", "Secure
/// EPT Management"; ABI Specification, "TDH.MEM.*", "TDG.MEM.PAGE.ACCEPT".
public final class TDXModule: Sendable {
  struct Place: Hashable {
    let level: Level
    let gfn: UInt64

    /// The entry of a level that covers a frame.
    init(_ gfn: GFN, _ level: Level) {
      self.level = level
      let shift = UInt64(9 * (level.rawValue - 1))
      self.gfn = (gfn.rawValue >> shift) << shift
    }
  }

  struct State {
    var entries: [Place: SecureEntry] = [:]
    var pagesInUse: Set<PFN> = []
    var isFinalized = false
    var epoch: UInt64 = 1
    /// The epochs at which the vCPUs that are inside came in.
    var inside: [Int: UInt64] = [:]
    /// How many calls still find a lock held.
    var busyCalls = 0

    subscript(gfn: GFN, level: Level) -> SecureEntry {
      get { entries[Place(gfn, level)] ?? SecureEntry(state: .free, pfn: PFN(0)) }
      set { entries[Place(gfn, level)] = newValue.state == .free ? nil : newValue }
    }
  }

  /// How private addresses are told.
  public let addressing: TDXAddressing
  /// 4, or 5 for addresses of 52 bits.
  public let rootLevel: Level
  private let state = Guarded(State())

  /// The module with one domain, whose memory is empty.
  public init(addressing: TDXAddressing) {
    self.addressing = addressing
    rootLevel = Level(addressing.width == 52 ? 5 : 4)
  }

  /// Makes the next calls find a lock held, as calls of other processors would.
  public func makeBusy(calls: Int) { state.withLock { $0.busyCalls = calls } }

  /// Whether the domain is finalized.
  public var isFinalized: Bool { state.withLock { $0.isFinalized } }

  /// The state of an entry.
  public func entry(_ gfn: GFN, _ level: Level) -> SecureEntry {
    state.withLock { $0[gfn, level] }
  }

  /// Entries that are not free. **Units** entries.
  public var entryCount: Int { state.withLock { $0.entries.count } }

  /// TDH.MR.FINALIZE.
  public func finalize() -> TDXStatus {
    call { state in
      if state.isFinalized { return .opStateIncorrect }
      state.isFinalized = true
      return .success
    }
  }

  /// TDH.VP.ENTER: the vCPU comes in under the current epoch.
  public func enter(vcpu: Int) { state.withLock { $0.inside[vcpu] = $0.epoch } }

  /// The vCPU left.
  public func exit(vcpu: Int) { state.withLock { $0.inside[vcpu] = nil } }

  /// Looks at an entry and changes it, unless a lock is held.
  func call(_ body: (inout State) -> TDXStatus) -> TDXStatus {
    state.withLock { state in
      if state.busyCalls > 0 {
        state.busyCalls -= 1
        return .operandBusy
      }
      return body(&state)
    }
  }

  /// As `call`, for an entry whose place is checked first.
  func call(
    _ gfn: GFN, _ level: Level, _ body: (inout State) -> TDXStatus
  ) -> TDXStatus {
    guard level <= rootLevel, Place(gfn, level).gfn == gfn.rawValue,
      !addressing.isTooWide(gfn.baseAddress), !addressing.isShared(gfn.baseAddress)
    else { return .operandInvalid }
    return call { state in
      // Every entry but the root's lies in a table.
      var above = level
      while above < rootLevel {
        above = above.above
        switch state[gfn, above].state {
        case .nonLeafMapped, .nonLeafBlocked: continue
        case .free, .removed: return .eptWalkFailed
        default: return .pageSizeMismatch
        }
      }
      return body(&state)
    }
  }

  /// The processor's walk of the secure EPT.
  public func translate(_ gpa: GPA, _ kind: AccessKind) -> Result<HPA, SecureRefusal> {
    guard !addressing.isTooWide(gpa) else { return .failure(.violation(gpa, rootLevel)) }
    return state.withLock { state in
      var level = rootLevel
      while true {
        let entry = state[gpa.frame, level]
        switch entry.state {
        case .nonLeafMapped where level > .pageTable: level = level.below
        case .mapped: return .success(place(of: gpa, in: entry, level))
        case .writeBlocked where kind != .write: return .success(place(of: gpa, in: entry, level))
        case .pending: return .failure(.pending(gpa, level))
        default: return .failure(.violation(gpa, level))
        }
      }
    }
  }

  /// The page that a TLB may still hold: one that is mapped, or blocked since the last epoch began.
  public func cachedPage(_ gpa: GPA) -> HPA? {
    guard !addressing.isTooWide(gpa) else { return nil }
    return state.withLock { state in
      var level = rootLevel
      while true {
        let entry = state[gpa.frame, level]
        let isTracked = entry.state.isBlocked && entry.blockEpoch < state.epoch
        switch entry.state {
        case .nonLeafMapped, .nonLeafBlocked:
          if level == .pageTable || isTracked { return nil }
          level = level.below
        case .mapped, .writeBlocked: return place(of: gpa, in: entry, level)
        case .blocked: return isTracked ? nil : place(of: gpa, in: entry, level)
        default: return nil
        }
      }
    }
  }

  private func place(of gpa: GPA, in entry: SecureEntry, _ level: Level) -> HPA {
    let size = PageSize(shift: 3 + 9 * level.rawValue)
    return entry.pfn.baseAddress.wrappingAdd(gpa.offset(in: size))
  }
}
