package import MMU
package import Paging

/// Memslots that change under those who use them.
extension Race {
  static let writeAndMove = Race(
    "write-and-move", "a memslot moves; what was behind it is not written any more", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 1, vcpu: 0)
    return rig.race([
      { rig.write(1, to: 1, vcpu: 0) },
      {
        rig.update(dropping: GFN(0)..<GFN(16)) { table throws(MemslotError) in
          try table.replacing(RaceRig.ram(frames: 16, at: RaceRig.homes[1]))
        }
        rig.moveBytes(of: 1)
      },
    ])
  }

  static let faultAndRemoval = Race(
    "fault-and-removal", "a memslot is removed; what was behind it is not written any more",
    threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    rig.write(7, to: 2, vcpu: 0)
    return rig.race(
      [
        {
          let wasThere = rig.writeAnywhere(1, to: 1, vcpu: 0)
          if rig.writeAnywhere(2, to: 1, vcpu: 0), !wasThere {
            rig.fail("frame 1 was gone, and is memory again")
          }
        },
        {
          rig.update(dropping: GFN(0)..<GFN(16)) { table throws(MemslotError) in
            try table.removing(id: 0)
          }
          rig.watch(1)
        },
      ],
      atEnd: {
        rig.forgetWrites()
        if rig.writeAnywhere(3, to: 2, vcpu: 0) { rig.fail("frame 2 is memory still") }
      })
  }

  static let twoUpdates = Race(
    "two-updates", "two memslots change at once; neither change is lost", threads: 2
  ) { turns, format in
    let rig = try RaceRig(turns, format, vcpus: 1)
    let other = Memslot(id: 1, base: GFN(32), frameCount: 4, host: HPA(6 << 20))
    rig.write(7, to: 1, vcpu: 0)
    return rig.race(
      [
        {
          rig.update(dropping: GFN(0)..<GFN(16)) { table throws(MemslotError) in
            try table.replacing(RaceRig.ram(frames: 16, at: RaceRig.homes[1]))
          }
          rig.moveBytes(of: 1)
        },
        {
          rig.update(dropping: GFN(32)..<GFN(36)) { table throws(MemslotError) in
            try table.adding(other)
          }
        },
      ],
      atEnd: {
        // Neither update is lost.
        let slots = rig.memory.slots
        if slots[id: 0]?.host != RaceRig.homes[1] { rig.fail("slot 0 did not move") }
        if slots[id: 1] == nil { rig.fail("slot 1 was not added") }
        rig.write(5, to: 33, vcpu: 0)
      })
  }
}

extension RaceRig {
  /// Changes the memslots.
  package func update(
    dropping range: Range<GFN>, _ change: (MemslotTable) throws(MemslotError) -> MemslotTable
  ) {
    do throws(MemslotError) {
      try mmu.updateSlots(dropping: range, change)
    } catch {
      fail("\(error)")
    }
  }

  /// Watches that nobody writes the first home of a page, to which no memslot leads any more.
  package func watch(_ frame: UInt64) {
    turns.step(Self.data(of: frame), isChange: false)
    watch(frame, holding: bytes(at: Self.homes[0], frame))
  }

  /// Carries a page's cells over that the guest has not written at their new place, then watches that
  /// nobody writes the old one any more.
  package func moveBytes(of frame: UInt64) {
    turns.step(Self.data(of: frame), isChange: true)
    let before = bytes(at: Self.homes[0], frame)
    let view = memory.host.view
    let (old, new) = (Self.homes[0], Self.homes[1])
    for offset in stride(from: frame << 12, to: (frame + 1) << 12, by: 8) {
      guard view.readValue(new.wrappingAdd(offset), size: 8) == 0,
        let value = view.readValue(old.wrappingAdd(offset), size: 8)
      else { continue }
      _ = view.writeValue(value, size: 8, at: new.wrappingAdd(offset))
    }
    watch(frame, holding: before)
  }

  private func watch(_ frame: UInt64, holding before: [UInt8]?) {
    turns.step(Self.data(of: frame), isChange: false)
    if bytes(at: Self.homes[0], frame) != before {
      fail("frame \(frame) was written where it had been after its slot had gone")
    }
  }

  private func bytes(at home: HPA, _ frame: UInt64) -> [UInt8]? {
    memory.host.view.read(home.wrappingAdd(frame << 12), count: 4096)
  }
}
