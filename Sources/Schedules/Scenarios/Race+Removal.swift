import MMU
package import Paging

/// What is taken away, against those who still use it.
extension Race {
  static let zapAndRepair = Race(
    "zap-and-repair", "a write gets W back in the leaf that is zapped", threads: 2
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
    return rig.migration([
      { rig.write(1, to: 1, vcpu: 0) }, { rig.mmu.zap(GFN(1)..<GFN(2)) },
    ])
  }

  static let zapAndTrackedRead = Race(
    "zap-and-tracked-read", "an access-tracked leaf is restored, aged and zapped", threads: 3
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 1, accessedDirty: false)
    rig.write(7, to: 1, vcpu: 0)
    rig.mmu.age(GFN(1)..<GFN(2), clearing: true)
    return rig.race([
      { rig.read(1, vcpu: 0) }, { rig.mmu.age(GFN(1)..<GFN(2), clearing: true) },
      { rig.mmu.zap(GFN(1)..<GFN(2)) },
    ])
  }

  static let markAndZap = Race(
    "mark-and-zap", "hardware sets D in the leaf that is zapped; the write is in the log",
    threads: 2
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    try rig.mmu.startDirtyLog(slot: 0, .dirtyBit)
    rig.copyDirtyPages()
    return rig.migration([
      { rig.write(1, to: 1, vcpu: 0) }, { rig.mmu.zap(GFN(1)..<GFN(2)) },
    ])
  }

  static let walkAndRemoval = Race(
    "walk-and-removal", "a table is removed under a walk, and another fault wants its page",
    threads: 3
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 2, frames: 1024)
    rig.write(7, to: 1, vcpu: 0)
    rig.write(7, to: 1, vcpu: 1)
    rig.mmu.synchronize()
    return rig.race([
      { rig.read(1, vcpu: 0) }, { rig.write(2, to: 513, vcpu: 1) },
      { rig.mmu.zap(GFN(0)..<GFN(512)) },
    ])
  }

  static let writeAndHostUnmap = Race(
    "write-and-host-unmap", "the host takes a page away, uses it, and gives it back", threads: 2
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    return rig.race([
      {
        rig.write(1, to: 1, vcpu: 0)
        rig.write(2, to: 1, vcpu: 0)
      },
      {
        rig.mmu.unmapHost(GFN(1)..<GFN(2)) {
          let before = rig.bytes(of: 1)
          if rig.bytes(of: 1) != before { rig.fail("frame 1 was written while the host held it") }
        }
      },
    ])
  }

  static let writeAndMove = Race(
    "write-and-move", "a memslot moves; what was behind it is not written any more", threads: 2
  ) { turns in
    let rig = try RaceRig(turns, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    let old = HPA(4 << 20).wrappingAdd(4096)
    return rig.race([
      { rig.write(1, to: 1, vcpu: 0) },
      {
        do throws(MemslotError) {
          try rig.mmu.updateSlots(dropping: GFN(0)..<GFN(16)) { table throws(MemslotError) in
            try table.replacing(RaceRig.ram(frames: 16, at: HPA(8 << 20)))
          }
        } catch {
          rig.fail("\(error)")
        }
        rig.moveBytes(from: old, to: HPA(8 << 20).wrappingAdd(4096))
      },
    ])
  }
}

extension RaceRig {
  /// Carries a page's cells over that the guest has not written at their new place, then watches that
  /// nobody writes the old one any more.
  package func moveBytes(from old: HPA, to new: HPA) {
    turns.step(PacedMMU<Tables>.data, isChange: true)
    let view = memory.host.view
    let before = view.read(old, count: 4096)
    for cell in 0..<512 as Range<UInt64> {
      let place = new.wrappingAdd(cell * 8)
      guard view.readValue(place, size: 8) == 0,
        let value = view.readValue(old.wrappingAdd(cell * 8), size: 8)
      else { continue }
      _ = view.writeValue(value, size: 8, at: place)
    }
    turns.step(PacedMMU<Tables>.data, isChange: false)
    if view.read(old, count: 4096) != before { fail("the old page was written after the move") }
  }
}
