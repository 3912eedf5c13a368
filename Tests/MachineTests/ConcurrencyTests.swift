import Dispatch
import MMU
import MachineSupport
import Paging
import Synchronization
import TestSupport
import Testing
import X86EPT

@Suite("Parallel faults")
struct ConcurrencyTests {
  static let frames: UInt64 = 4096

  typealias Tables = TDPMMU<EPTEncoder, DefaultPolicy>

  /// Table pages reachable from a root, and the leaves found there.
  static func census(
    _ mmu: Tables, table: PFN, level: Int, first: UInt64, _ leaves: inout [UInt64: UInt64]
  ) -> Int {
    var pages = 1
    for index in 0..<512 as Range<UInt64> {
      let place = table.baseAddress.wrappingAdd(index * 8)
      guard case .success(let raw) = mmu.memory.host.view.load(place, as: UInt64.self),
        mmu.encoder.isPresent(SPTE(raw))
      else { continue }
      let gfn = first + index << UInt64(9 * (level - 1))
      if mmu.encoder.isLeaf(SPTE(raw), at: Level(level)) {
        leaves[gfn] = mmu.encoder.pfn(of: SPTE(raw)).rawValue
      } else {
        pages += census(
          mmu, table: mmu.encoder.pfn(of: SPTE(raw)), level: level - 1, first: gfn, &leaves)
      }
    }
    return pages
  }

  static func exit(_ mmu: Tables, _ gfn: UInt64, _ kind: AccessKind) -> EPTExit {
    let access = mmu.encoder.format.finalAccess(kind, isUser: false, for: GVA(gfn << 12))
    return mmu.encoder.format.fault(
      .notPresent, at: .pageTable, GFN(gfn).baseAddress, for: access,
      rights: EPTRights(granted: 0), entry: 1 << 63)
  }

  @Test(
    "T1 threads that fault the same and other frames agree, and leak no table",
    .timeLimit(.minutes(45)))
  func parallelFaults() throws {
    let rig = try MachineRig()
    let mmu = rig.mmu
    let threads = 4
    let bad = Atomic(0)
    for round in 0..<4 as Range<UInt64> {
      DispatchQueue.concurrentPerform(iterations: threads) { thread in
        guard var cpu = try? mmu.makeCPU(index: thread) else {
          bad.add(1, ordering: .relaxed)
          return
        }
        var random = SeededGenerator(seed: round * 100 + UInt64(thread))
        // All go the same way through the frames, so that they meet; half of the frames are their own.
        for step in 0..<Self.frames {
          let gfn = step & 1 == 0 ? step : UInt64(random.below(Int(Self.frames)))
          var outcome = FaultOutcome.retry
          var tries = 0
          while outcome == .retry, tries < 1000 {
            outcome = mmu.handle(
              Self.exit(mmu, gfn, random.flip() ? .read : .write), on: &cpu, NoObserver())
            tries += 1
          }
          if outcome != .fixed, outcome != .spurious { bad.add(1, ordering: .relaxed) }
        }
        var leaves: [UInt64: UInt64] = [:]
        _ = Self.census(mmu, table: cpu.root, level: 4, first: 0, &leaves)
        for gfn in stride(from: 0, to: Self.frames, by: 2) where leaves[gfn] != 4096 + gfn {
          bad.add(1, ordering: .relaxed)
        }
        if leaves.contains(where: { $0.value != 4096 + $0.key }) { bad.add(1, ordering: .relaxed) }
        mmu.leave(&cpu)
      }
      #expect(bad.load(ordering: .relaxed) == 0)
      var leaves: [UInt64: UInt64] = [:]
      let pages = Self.census(mmu, table: rig.currentRoot, level: 4, first: 0, &leaves)
      // The rig's own vCPU has not entered since: it holds the first root.
      var others = 0
      if rig.root() != rig.currentRoot {
        var ignored: [UInt64: UInt64] = [:]
        others = Self.census(mmu, table: rig.root(), level: 4, first: 0, &ignored)
      }
      #expect(mmu.tablePages == pages + others)
      #expect(leaves.count >= Int(Self.frames) / 2)
      mmu.invalidateAll()
    }
  }

  @Test(
    "T1 a table that loses the race to be linked goes back to the pool", .timeLimit(.minutes(45)))
  func lostTables() throws {
    let rig = try MachineRig(tablePages: 800)
    let mmu = rig.mmu
    for _ in 0..<6 {
      let arrived = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: 2) { thread in
        guard var cpu = try? mmu.makeCPU(index: thread) else { return }
        for step in 0..<300 as Range<UInt64> {
          // Both set out for the same missing table together; the wait is bounded for one thread.
          arrived.add(1, ordering: .acquiringAndReleasing)
          var patience = 20_000
          while arrived.load(ordering: .acquiring) < Int(step + 1) * 2, patience > 0 {
            patience -= 1
          }
          _ = mmu.handle(Self.exit(mmu, 1 << 18 + step << 9, .read), on: &cpu, NoObserver())
        }
        mmu.leave(&cpu)
      }
      var leaves: [UInt64: UInt64] = [:]
      let pages = Self.census(mmu, table: rig.currentRoot, level: 4, first: 0, &leaves)
      let held = rig.root() == rig.currentRoot ? 0 : 1
      #expect(pages > 300)
      #expect(mmu.tablePages == pages + held)
      mmu.invalidateAll()
      _ = rig.access(.read, 0)
    }
  }

  @Test(
    "T1 T2 faults, invalidations and memslot changes side by side leave every page accounted for",
    .timeLimit(.minutes(45)))
  func withInvalidations() throws {
    let rig = try MachineRig(slots: [.ram])
    let mmu = rig.mmu
    let memory = rig.memory
    let inUse = rig.pool.inUse
    let bad = Atomic(0)
    let extra = Memslot(id: 7, base: GFN(0x10000), frameCount: 64, host: HPA(40 << 20))
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      if thread == 0 {
        for step in 0..<200 {
          do throws(MemslotError) {
            try memory.update(
              { table throws(MemslotError) in
                step & 1 == 0 ? try table.adding(extra) : try table.removing(id: 7)
              }, invalidate: { _ in if step & 1 == 1 || step % 8 == 0 { mmu.invalidateAll() } })
          } catch { bad.add(1, ordering: .relaxed) }
        }
        return
      }
      guard var cpu = try? mmu.makeCPU(index: thread) else { return }
      var random = SeededGenerator(seed: UInt64(thread))
      for _ in 0..<6000 {
        _ = mmu.enter(&cpu)
        let isExtra = random.oneIn(4)
        let gfn = isExtra ? 0x10000 + UInt64(random.below(64)) : UInt64(random.below(4096))
        switch mmu.handle(Self.exit(mmu, gfn, .read), on: &cpu, NoObserver()) {
        case .fixed, .spurious, .retry: break
        case .emulate: if !isExtra { bad.add(1, ordering: .relaxed) }
        case .perform, .inject, .reflect, .failed: bad.add(1, ordering: .relaxed)
        }
      }
      mmu.leave(&cpu)
    }
    #expect(bad.load(ordering: .relaxed) == 0)
    #expect(memory.slots[id: 7] == nil)
    // The removed slot is in no table that a vCPU could still enter.
    var leaves: [UInt64: UInt64] = [:]
    _ = Self.census(mmu, table: rig.currentRoot, level: 4, first: 0, &leaves)
    #expect(!leaves.keys.contains { $0 >= 0x10000 })
    mmu.invalidateAll()
    _ = rig.access(.read, 0)
    mmu.invalidateAll()
    var context = try mmu.makeCPU(index: 9)
    mmu.leave(&context)
    #expect(rig.pool.inUse >= inUse)
    #expect(rig.pool.inUse - inUse <= 4, "what the last access made")
  }
}
