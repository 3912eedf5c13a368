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
      // Each access enters the guest and leaves it.
      PairBenchmark(name: "tlb.hit.apart", count: hits, baseline: "tlb.hit") {
        let rig = try AccessRig()
        return Sides(
          program: { rig.readApart(AccessRig.linear, count: hits, span: 1 << cached) },
          baseline: { rig.read(AccessRig.linear, count: hits, span: 1 << cached) })
      },
      // A machine composed at run time: one indirect call an access.
      PairBenchmark(name: "access.dynamic", count: hits, baseline: "tlb.hit.apart") {
        let rig = try AccessRig()
        return Sides(
          program: {
            rig.readDynamically(rig.machine, AccessRig.linear, count: hits, span: 1 << cached)
          },
          baseline: { rig.readApart(AccessRig.linear, count: hits, span: 1 << cached) })
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
      // Nobody has read the page: the slots are searched, and an entry is left behind.
      PairBenchmark(name: "access.mmio.first", count: devicePages, baseline: "c") {
        let rig = try AccessRig()
        let twin = try MMIOTwin(rig)
        return Sides(
          resetProgram: { rig.dropDeviceLeaves() }, resetBaseline: { twin.drop() },
          program: { rig.read(AccessRig.device, count: devicePages, span: devicePages) },
          baseline: { twin.read(count: devicePages) })
      },
      // The second time: the entry answers, and no slot is searched for.
      PairBenchmark(name: "access.mmio.cached", count: devicePages, baseline: "c") {
        let rig = try AccessRig()
        let twin = try MMIOTwin(rig)
        return Sides(
          program: { rig.read(AccessRig.device, count: devicePages, span: devicePages) },
          baseline: { twin.read(count: devicePages) })
      },
    ]
  }

  /// Faults of the second level alone: its walk, the frame's slot, the new leaf.
  static var faults: [PairBenchmark] {
    let pages = FaultRig.pageCount
    return [
      PairBenchmark(name: "fault.tdp.threads1", count: pages, baseline: "c", agrees: false) {
        let rig = try FaultRig()
        let twin = FaultTwin()
        return Sides(
          resetProgram: { rig.dropLeaves() }, resetBaseline: { twin.dropLeaves() },
          program: { rig.run(threads: 1) }, baseline: { twin.run() })
      },
      parallelFaults(threads: 2), parallelFaults(threads: 4),
    ] + againstKVM
  }

  /// Faults on several threads, beside as many on one: a ratio of 0.5 is twice as many a second.
  static func parallelFaults(threads: Int) -> PairBenchmark {
    PairBenchmark(
      name: "fault.tdp.threads\(threads)", count: FaultRig.pageCount, baseline: "threads1"
    ) {
      let rig = try FaultRig()
      return Sides(
        resetProgram: { rig.dropLeaves() }, resetBaseline: { rig.dropLeaves() },
        program: { rig.run(threads: threads) }, baseline: { rig.run(threads: 1) })
    }
  }
}
