import Paging
import X86TDX

extension TDXMMU: AuditableMMU {
  /// Compares the mirror with the module and the slots, and the shared EPT as every other.
  ///
  /// - Returns: one line for each breach.
  public func audit() -> [String] {
    let mirror = compareMirror()
    return mirror.lines + shared.audit(besides: mirror.pages)
  }

  /// Compares the mirror with the module.
  ///
  /// - Returns: one line for each entry in which they disagree.
  public func mirrorBreaches() -> [String] { compareMirror().lines }

  private struct Mirror: Sendable {
    var lines: [String] = []
    var pages: Set<PFN> = []
    var count = 0
  }

  private func compareMirror() -> Mirror {
    let slots = memory.slots
    return changing.withLock { _ in
      var found = Mirror()
      compare(mirrorRoot, at: shared.encoder.rootLevel, first: 0, slots, &found)
      if found.count != module.entryCount {
        found.lines.append(
          "the mirror has \(found.count) entries, the module \(module.entryCount)")
      }
      return found
    }
  }

  private func compare(
    _ table: PFN, at level: Level, first: UInt64, _ slots: MemslotTable, _ found: inout Mirror
  ) {
    let encoder = shared.encoder
    if !found.pages.insert(table).inserted {
      found.lines.append("table page \(table) of the mirror is linked twice")
      return
    }
    var hint = 0
    for index in 0..<512 as Range<UInt64> {
      let gfn = GFN(first &+ index &* shared.span(of: level))
      let spte = shared.load(table.baseAddress.wrappingAdd(index * 8))
      if spte == encoder.layout.nonPresent { continue }
      found.count += 1
      let entry = module.entry(gfn, level)
      let isLeaf = encoder.isPresent(spte) && encoder.isLeaf(spte, at: level)
      let agrees = isLeaf ? entry.state.isLeaf : entry.state.isTable
      if !encoder.isPresent(spte) || !agrees || encoder.pfn(of: spte) != entry.pfn {
        found.lines.append("frame \(gfn) level \(level): mirror \(spte), module \(entry.state)")
      }
      guard encoder.isPresent(spte) else { continue }
      guard isLeaf else {
        compare(encoder.pfn(of: spte), at: level.below, first: gfn.rawValue, slots, &found)
        continue
      }
      let page = slots.slot(for: gfn, hint: &hint)?.pfn(of: gfn, isPrivate: true)
      if page != encoder.pfn(of: spte) {
        found.lines.append("frame \(gfn) level \(level): no slot backs its private page")
      }
      let frames = gfn..<gfn.wrappingAdd(shared.span(of: level))
      if !attributes.isPrivate(gfn) || !attributes.isUniform(frames) {
        found.lines.append("frame \(gfn) level \(level): a private page of a shared frame")
      }
    }
  }
}
