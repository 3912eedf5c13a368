import Paging

extension PairBenchmark {
  /// The host's upkeep of a second level.
  static var upkeep: [PairBenchmark] {
    let pages = 1 << 20
    let dirty = 16
    let large = 512
    return [
      // A page is the unit, so that nanoseconds are milliseconds a million pages; every 16th was written.
      PairBenchmark(name: "dirtylog.round", count: pages, baseline: "c") {
        let rig = try UpkeepRig(pages: pages, of: .size4KiB)
        let twin = try UpkeepTwin(pages: pages, isLarge: false)
        try rig.startLog()
        return Sides(
          resetProgram: { rig.write(step: dirty) }, resetBaseline: { twin.write(step: dirty) },
          program: { rig.round() }, baseline: { twin.round() })
      },
      // One large page into 512.
      PairBenchmark(name: "split.2m", count: large, baseline: "c") {
        let rig = try UpkeepRig(pages: large * 512, of: .size2MiB)
        let twin = try UpkeepTwin(pages: large * 512, isLarge: true)
        return Sides(
          resetProgram: { rig.collapse() }, resetBaseline: { twin.collapse() },
          program: { rig.split() }, baseline: { twin.split() })
      },
    ]
  }
}
