import Paging

extension TDPMMU: AuditableMMU {
  /// Checks that every table page in use is linked exactly once, that every entry is one which the
  /// hardware accepts at its level, and that every leaf maps what its memslot says.
  ///
  /// - Returns: the first breaches, one line each.
  /// - Complexity: linear in the number of table pages.
  public func audit() -> [String] {
    var audit = TDPAudit(encoder: encoder, host: host, slots: memory.slots)
    for root in roots.referenced {
      audit.check(
        table: root, at: encoder.rootLevel, first: GFN(0), isCurrent: roots.isCurrent(root))
    }
    if audit.seen.count != tablePages {
      audit.note("\(tablePages) table pages are in use, \(audit.seen.count) are linked")
    }
    return audit.breaches
  }
}

/// One pass over all tables.
struct TDPAudit<Encoder: SPTEEncoder> {
  let encoder: Encoder
  let host: HostView
  let slots: MemslotTable
  private(set) var seen: Set<PFN> = []
  private(set) var breaches: [String] = []
  private var slotHint = 0
  /// The most breaches that are told.
  private static var most: Int { 64 }

  init(encoder: Encoder, host: HostView, slots: MemslotTable) {
    self.encoder = encoder
    self.host = host
    self.slots = slots
  }

  mutating func note(_ breach: String) {
    if breaches.count < Self.most { breaches.append(breach) }
  }

  /// - Parameter isCurrent: whether leaves must agree with the slots of now; a root that a vCPU has yet
  ///   to leave may hold older ones.
  mutating func check(table: PFN, at level: Level, first: GFN, isCurrent: Bool) {
    guard seen.insert(table).inserted else {
      return note("the table page \(table) is linked more than once")
    }
    let step = (1 as UInt64) << UInt64(9 * (level.rawValue - 1))
    for index in 0..<512 as Range<UInt64> {
      let place = table.baseAddress.wrappingAdd(index * 8)
      guard case .success(let raw) = host.load(place, as: UInt64.self) else {
        return note("the table page \(table) lies outside host memory")
      }
      let spte = SPTE(raw)
      guard encoder.isPresent(spte) else {
        if encoder.format.kind(of: raw, at: level) == .leaf {
          note("level \(level): \(spte) lets hardware through, though it is not MMU-present")
        }
        continue
      }
      let gfn = first.wrappingAdd(index * step)
      switch encoder.format.kind(of: raw, at: level) {
      case .table where !encoder.isLeaf(spte, at: level):
        check(table: encoder.pfn(of: spte), at: level.below, first: gfn, isCurrent: isCurrent)
      case .leaf where encoder.isLeaf(spte, at: level):
        if isCurrent { check(leaf: spte, of: gfn, frames: step) }
      case .notPresent where encoder.isAccessTracked(spte): continue
      case .table, .leaf, .notPresent, .reserved:
        note("level \(level), GFN \(gfn): \(spte) is not what hardware takes it for")
      }
    }
  }

  private mutating func check(leaf spte: SPTE, of gfn: GFN, frames: UInt64) {
    guard let slot = slots.slot(for: gfn, hint: &slotHint), gfn.wrappingAdd(frames) <= slot.end
    else { return note("GFN \(gfn): \(spte) maps frames that no memslot holds") }
    if slot.pfn(of: gfn) != encoder.pfn(of: spte) {
      note("GFN \(gfn): \(spte) maps another frame than its memslot's")
    }
    if slot.flags.contains(.readOnly), encoder.isWritable(spte) {
      note("GFN \(gfn): \(spte) lets writes through to a read-only slot")
    }
  }
}
