import MMU
import Paging

/// What is taken away, against those who still use it.
extension Race {
  static let zapAndRepair = Race(
    "zap-and-repair", "a write gets W back in the leaf that is zapped", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
    return rig.migration([
      { rig.write(1, to: 1, vcpu: 0) }, { rig.mmu.zap(GFN(1)..<GFN(2)) },
    ])
  }

  static let zapAndTrackedRead = Race(
    "zap-and-tracked-read", "an access-tracked leaf is restored, aged and zapped", threads: 3,
    formats: [.ept]
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1, accessedDirty: false)
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
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
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
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 2, frames: 1024)
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
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
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
}
