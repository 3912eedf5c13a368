import Paging

extension PairBenchmark {
  /// Whole accesses of one vCPU: the TLB, the walk of both levels, the exit and what follows, the bytes.
  static var accesses: [PairBenchmark] {
    let pages = AccessRig.pageCount
    let devicePages = AccessRig.devicePageCount
    let hits = 1 << 16
    let cached = 10
    return [
      PairBenchmark(name: "tlb.hit", count: hits, baseline: "c") {
        let rig = try AccessRig()
        let twin = try TLBTwin(rig, bits: cached)
        return Sides(
          program: { rig.read(AccessRig.linear, count: hits, span: 1 << cached) },
          baseline: { twin.run(count: hits) })
      },
      PairBenchmark(
        name: "access.tlbmiss", count: pages, baseline: "tlb.hit", agrees: false
      ) {
        let rig = try AccessRig()
        return Sides(
          program: { rig.read(AccessRig.linear, count: pages, span: pages) },
          baseline: { rig.read(AccessRig.linear, count: pages, span: 1 << cached) })
      },
      // A fault is a miss, the exit, and the walk again.
      PairBenchmark(name: "access.tdpfault", count: pages, baseline: "access.tlbmiss") {
        let rig = try AccessRig()
        return Sides(
          resetProgram: { rig.dropLeaves() },
          program: { rig.read(AccessRig.linear, count: pages, span: pages) },
          baseline: { rig.read(AccessRig.linear, count: pages, span: pages) })
      },
      PairBenchmark(
        name: "access.mmio.first", count: devicePages, baseline: "access.tlbmiss", agrees: false
      ) {
        let rig = try AccessRig()
        return Sides(
          resetProgram: { rig.dropDeviceLeaves() },
          program: { rig.read(AccessRig.device, count: devicePages, span: devicePages) },
          baseline: { rig.read(AccessRig.linear, count: devicePages, span: pages) })
      },
      PairBenchmark(
        name: "access.mmio.cached", count: devicePages, baseline: "access.tlbmiss", agrees: false
      ) {
        let rig = try AccessRig()
        return Sides(
          resetBaseline: { rig.flushTLB() },
          program: { rig.read(AccessRig.device, count: devicePages, span: devicePages) },
          baseline: { rig.read(AccessRig.linear, count: devicePages, span: pages) })
      },
    ]
  }
}
