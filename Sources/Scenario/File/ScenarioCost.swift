import Paging

/// What the steps of a scenario come to together, so that no file keeps a machine busy for days or
/// fills its memory.
struct ScenarioCost {
  private var accesses = 0
  private var mappedPages = 0
  private var writtenPages = 0
  private var keptPages = 0
  private var snapshots: Set<String> = []

  /// The most accesses.
  static var mostAccesses: Int { 1_000_000_000 }
  /// The most pages that all `map` steps map.
  static var mostMappedPages: Int { 1 << 24 }
  /// The most pages that guests may write, or that are added to trust domains: 16 GiB of host memory.
  static var mostWrittenPages: Int { 1 << 22 }
  /// The most snapshots at once.
  static var mostSnapshots: Int { 64 }

  /// Adds a step.
  ///
  /// - Throws: `ScenarioError` where a bound is passed, or a snapshot is put back that was not kept.
  mutating func add(_ step: Step) throws(ScenarioError) {
    if case .restore(let name) = step.action, !snapshots.contains(name) {
      throw ScenarioError(line: step.line, "no step before has kept a snapshot '\(name)'")
    }
    add(step.action)
    let bounds = [
      (accesses, Self.mostAccesses, "accesses"),
      (mappedPages, Self.mostMappedPages, "mapped pages"),
      (writtenPages, Self.mostWrittenPages, "written pages"),
      (keptPages, Self.mostWrittenPages, "pages in snapshots"),
      (snapshots.count, Self.mostSnapshots, "snapshots"),
    ]
    for (count, most, what) in bounds where count > most {
      throw ScenarioError(
        line: step.line, "the steps come to \(count) \(what) here (at most \(most))")
    }
  }

  private mutating func add(_ action: Action) {
    switch action {
    case .map(let map): mappedPages += Int(map.byteCount >> UInt64(map.pageSize.shift))
    case .nesting(.map(let map)):
      mappedPages += Int(map.byteCount >> UInt64(map.pageSize.shift))
    case .repeated(let repeated):
      accesses += repeated.count
      if repeated.access.kind == .write {
        let pages = (repeated.range.upperBound - repeated.range.lowerBound) >> 12
        writtenPages += 2 + min(repeated.count, Int(clamping: pages))
      }
    case .parallel(let parallel):
      for lane in parallel.lanes { for action in lane.actions { add(action) } }
    case .privateMemory(let action):
      accesses += 1
      writtenPages += action.pageCount
    case .snapshot(let name):
      snapshots.insert(name)
      // Each snapshot may hold whatever has been written by then.
      keptPages += writtenPages
    case .access, .systemManagement, .fetchPages, .restore, .poke, .invalidatePage, .setRegister,
      .memslot, .replay, .audit, .maintenance, .nesting:
      accesses += 1
    }
  }
}
