import Paging

extension PairBenchmark {
  /// What the shadow MMU does of its own: faults, tables brought in step, changes of the root.
  static var shadow: [PairBenchmark] {
    let tables = ShadowAccessRig.pageCount / 512
    let switches = 1 << 12
    return [
      shadowFault("fault.shadow", of: ShadowAccessRig.pageCount, among: ShadowAccessRig.pageCount),
      // Under shadow paging: the miss, the exit, the guest's own tables walked, the leaf, the walk again.
      PairBenchmark(
        name: "access.shadowfault", count: ShadowAccessRig.pageCount, baseline: "access.shadowmiss"
      ) {
        let rig = try ShadowAccessRig()
        return Sides(
          resetProgram: { rig.dropLeaves() },
          program: { rig.read(count: ShadowAccessRig.pageCount) },
          baseline: { rig.read(count: ShadowAccessRig.pageCount) })
      },
      // A guest's table of 512 entries, one of which it has changed.
      PairBenchmark(name: "sync.shadow", count: tables, baseline: "c") {
        let rig = try ShadowAccessRig()
        let twin = try ShadowTwin()
        return Sides(
          resetProgram: { rig.unsync() }, resetBaseline: { twin.unsync() },
          program: { rig.sync() }, baseline: { twin.sync() })
      },
      PairBenchmark(name: "switch.shadow", count: switches, baseline: "c") {
        let rig = try ShadowAccessRig()
        // Both roots are known from here on.
        rig.switchTo(1)
        rig.switchTo(0)
        let roots = rig.roots.map(\.rawValue)
        return Sides(
          program: { rig.switches(count: switches) },
          baseline: { ShadowTwin.switches(roots, count: switches) })
      },
    ]
  }

  /// Faults on pages that lie evenly among all that are mapped.
  ///
  /// - Parameter slots: the memslots that share the data.
  static func shadowFault(
    _ name: String, of count: Int, among pages: Int, slots: Int = 1
  ) -> PairBenchmark {
    PairBenchmark(name: name, count: count, baseline: "c") {
      let rig = try ShadowAccessRig(pages: pages, slots: slots)
      let twin = try ShadowTwin(pages: pages, slots: slots)
      // A step that has no divisor in common with the count meets every page once.
      let chosen = (0..<count).map { UInt32($0 * 7919 % count * pages / count) }
      return Sides(
        resetProgram: { rig.drop(chosen) }, resetBaseline: { twin.drop(chosen) },
        program: { rig.fault(chosen) }, baseline: { twin.fault(chosen) })
    }
  }
}
