import MMU
import Paging

/// Faults against faults and against changes of the tables they fill.
extension Race {
  static let faultsAndLink = Race(
    "faults-and-link", "two vCPUs fault below a table that is missing", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 2, frames: 1024)
    rig.write(7, to: 600, vcpu: 0)
    return rig.race([{ rig.write(1, to: 1, vcpu: 0) }, { rig.write(2, to: 2, vcpu: 1) }])
  }

  static let faultsAndZap = Race(
    "faults-and-zap", "two vCPUs fault the page that is zapped meanwhile", threads: 3
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 2)
    rig.write(7, to: 2, vcpu: 0)
    rig.write(7, to: 2, vcpu: 1)
    return rig.race([
      { rig.write(1, to: 1, vcpu: 0) }, { rig.write(2, to: 1, vcpu: 1) },
      { rig.mmu.zap(GFN(1)..<GFN(2)) },
    ])
  }

  static let faultAndSplit = Race(
    "fault-and-split", "a write splits the large page that is split eagerly", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1, frames: 512, backing: .size2MiB)
    rig.write(7, to: 0, vcpu: 0)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
    return rig.race([
      { rig.write(1, to: 1, vcpu: 0) },
      { _ = rig.mmu.splitLargePages(in: GFN(0)..<GFN(512), budget: 1) },
    ])
  }

  static let faultAndCollapse = Race(
    "fault-and-collapse", "a write faults in a table that becomes a large page", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1, frames: 512, backing: .size2MiB)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
    rig.write(7, to: 0, vcpu: 0)
    try rig.mmu.stopDirtyLog(slot: 0)
    return rig.race([
      { rig.write(1, to: 1, vcpu: 0) },
      { _ = rig.mmu.collapse(in: GFN(0)..<GFN(512)) },
    ])
  }

  static let faultAndNewRoot = Race(
    "fault-and-new-root", "a write faults while all roots are invalidated", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 2, vcpu: 0)
    return rig.race([
      {
        rig.write(1, to: 1, vcpu: 0)
        rig.write(2, to: 2, vcpu: 0)
      },
      { rig.mmu.invalidateAll() },
    ])
  }
}
