import MMU
import Paging

/// Writes against those who look for them: a migration loses none, a tracker hears of each.
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

  static let writeAndTracking = Race(
    "write-and-tracking", "a page is written while its writes begin to be tracked, and after",
    threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 2, vcpu: 0)
    let listener = Listener()
    return rig.race(
      [
        {
          rig.write(1, to: 1, vcpu: 0)
          rig.write(2, to: 1, vcpu: 0)
        },
        { rig.trackWrites(to: 1, by: listener) },
      ],
      atEnd: {
        let unseen = 2 - listener.first.withLock { $0 }
        let told = listener.writes.withLock { $0 }
        if told < unseen { rig.fail("\(unseen) writes came after, and \(told) were told") }
      })
  }

  static let writeAndTrackingEnd = Race(
    "write-and-tracking-end", "a page is written twice while its writes cease to be tracked",
    threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    let id = rig.mmu.trackWrites(to: GFN(1)..<GFN(2), by: Unheard())
    rig.write(8, to: 1, vcpu: 0)
    return rig.race([
      {
        rig.write(1, to: 1, vcpu: 0)
        rig.write(2, to: 1, vcpu: 0)
      },
      { rig.mmu.stopTrackingWrites(id) },
    ])
  }
}

/// Whose news nobody needs.
private struct Unheard: WriteTracker {
  func memoryWritten(_ gpa: GPA, byteCount: Int) {}
}

/// Counts what it is told, and knows what the page held when it began to listen.
private final class Listener: WriteTracker {
  let writes = Guarded(0)
  let first = Guarded(0)

  func memoryWritten(_ gpa: GPA, byteCount: Int) { writes.withLock { $0 += 1 } }
}

extension RaceRig {
  /// Tracks the writes of a page; the first vCPU's from then on are told.
  fileprivate func trackWrites(to frame: UInt64, by listener: Listener) {
    mmu.trackWrites(to: GFN(frame)..<GFN(frame + 1), by: listener)
    let first = bytes(of: frame)[0]
    listener.first.withLock { $0 = Int(first) }
  }
}
