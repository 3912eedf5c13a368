import MMU
import Paging

/// Writes against those who look for them: a migration loses none.
extension Race {
  static let writeAndClear = clearing("write-and-clear", .writeProtect)
  static let writeAndCleanBit = clearing("write-and-clean-bit", .dirtyBit)
  static let writeAndModificationLog = clearing("write-and-pml", .pageModificationLog)

  private static func clearing(_ name: String, _ method: DirtyMethod) -> Race {
    Race(
      name, "a page is written twice while a round of a migration copies it (\(method.rawValue))",
      threads: 2, formats: method == .pageModificationLog ? [.ept] : RaceFormat.allCases
    ) { turns, format in
      let rig = try RaceRig(turns, format, vcpus: 1)
      rig.write(7, to: 1, vcpu: 0)
      try rig.mmu.startDirtyLog(slot: 0, method)
      rig.write(8, to: 1, vcpu: 0)
      return rig.migration([
        {
          rig.write(1, to: 1, vcpu: 0)
          rig.write(2, to: 1, vcpu: 0)
        },
        { rig.copyDirtyPages() },
      ])
    }
  }

  static let writeAndRing = Race(
    "write-and-ring", "a page is written twice while its ring is harvested and reset", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1, ring: 128)
    rig.write(7, to: 1, vcpu: 0)
    try rig.mmu.startDirtyLog(slot: 0, .writeProtect, usesRings: true)
    rig.write(8, to: 1, vcpu: 0)
    return rig.migration([
      {
        rig.write(1, to: 1, vcpu: 0)
        rig.write(2, to: 1, vcpu: 0)
      },
      { rig.copyDirtyPages() },
    ])
  }

  static let writeAndLogStart = Race(
    "write-and-log-start", "a page is written while its log begins", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    return rig.migration([
      {
        rig.write(1, to: 1, vcpu: 0)
        rig.write(2, to: 1, vcpu: 0)
      },
      {
        do throws(DirtyLogError) {
          try rig.mmu.startDirtyLog(slot: 0, .writeProtect)
        } catch {
          rig.fail("\(error)")
        }
        rig.copy(1)
      },
    ])
  }
}
