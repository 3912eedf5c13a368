import Paging
import Schedules
import X86EPT

@testable import MMU

/// What the MMU would do without one of its rules; the explorer has to find each.
extension TDPMMU {
  /// As `zap` of the whole table of a level-2 entry, without waiting for those who walk it.
  func removeTableWithoutGrace(at gfn: GFN) {
    withRoots { roots in
      for root in roots {
        var table = root
        var level = encoder.rootLevel
        while level > .directory {
          table = encoder.pfn(of: load(entry(for: gfn, in: table, at: level)))
          level = level.below
        }
        let place = entry(for: gfn, in: table, at: .directory)
        guard case .success(let raw) = host.swap(place, to: encoder.layout.nonPresent.rawValue),
          encoder.isPresent(SPTE(raw))
        else { continue }
        giveBack(encoder.pfn(of: SPTE(raw)))
      }
    }
  }

  /// As `dirtyPages(clearing:)`, without waiting for those who still may write.
  func clearWithoutFlush(slot: Memslot, _ log: DirtyLog) -> UInt64 {
    withRoots { roots in
      pacing.step(.dirtyMarks, isChange: true)
      let word = log.take(~0, at: 0)
      forEachLeaf(in: slot.base..<slot.end, roots) { place, spte, level, _ in
        alter(place, spte, at: level, encoder.writeProtected)
      }
      return word
    }
  }

  /// As ageing without A bits, by a store in the place of a compare-exchange, and without the order of
  /// changes among one another.
  func ageWithStore(_ range: Range<GFN>, root: PFN) {
    forEachLeaf(in: range, [root]) { place, spte, _, _ in
      _ = host.swap(place, to: encoder.aged(spte).rawValue)
    }
  }
}

extension RaceRig {
  /// The tables, whose format is EPT.
  var ept: TDPMMU<EPTEncoder, RacePolicy> {
    guard let tables = mmu as? TDPMMU<EPTEncoder, RacePolicy> else { fatalError("not EPT") }
    return tables
  }
}

extension Race {
  static let freeWithoutGrace = Race("broken-free", "no grace period", threads: 3) { turns in
    let rig = try RaceRig(turns, vcpus: 2, frames: 1024)
    rig.write(7, to: 1, vcpu: 0)
    rig.mmu.synchronize()
    return rig.race([
      { rig.read(1, vcpu: 0) }, { rig.write(2, to: 513, vcpu: 1) },
      { rig.ept.removeTableWithoutGrace(at: GFN(0)) },
    ])
  }

  static let clearWithoutFlush = Race("broken-clear", "no flush", threads: 2) { turns in
    let rig = try RaceRig(turns, vcpus: 1)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
    rig.write(8, to: 1, vcpu: 0)
    return rig.migration([
      { rig.write(1, to: 1, vcpu: 0) },
      {
        guard let slot = rig.memory.slots[id: 0], let log = slot.activeLog else { return }
        if rig.ept.clearWithoutFlush(slot: slot, log) & 2 != 0 { rig.copy(1) }
      },
    ])
  }

  static let storeForExchange = Race("broken-store", "a store for an exchange", threads: 2) {
    turns in
    let rig = try RaceRig(turns, vcpus: 1, accessedDirty: false)
    rig.write(7, to: 1, vcpu: 0)
    let root = rig.root
    return rig.race([
      { rig.ept.ageWithStore(GFN(0)..<GFN(16), root: root) },
      {
        do throws(MemslotError) {
          try rig.mmu.updateSlots(dropping: GFN(0)..<GFN(16)) { table throws(MemslotError) in
            try table.removing(id: 0)
          }
          try rig.memory.update { table throws(MemslotError) in
            try table.adding(RaceRig.ram(frames: 16, at: HPA(8 << 20)))
          }
        } catch {
          rig.fail("\(error)")
        }
        rig.moveBytes(of: 1)
      },
    ])
  }
}
