public import Paging
public import Synchronization

extension ShadowMMU {
  /// Hears of a write that software made for a vCPU.
  @inlinable
  public func memoryWritten(
    _ gpa: GPA, byteCount: Int, on cpu: inout CPU, _ observer: borrowing some MMUObserver
  ) {
    locked(&cpu, observer) { cpu in
      refreshSlots()
      forEachFrame(gpa, byteCount) {
        let gfn = GPA($0).frame
        state.slots[cpu.space.rawValue].slot(for: gfn)?.logWrite(of: gfn)
        written(GPA($0), $1, &cpu.flood)
      }
    }
  }

  /// Hears of a write from outside.
  ///
  /// Whoever holds the lock now, be it this thread in a policy that writes guest memory, sees to it.
  @usableFromInline
  func memoryWritten(_ gpa: GPA, byteCount: Int) {
    outsideWrites.withLock {
      $0.append((gpa, byteCount))
      hasOutsideWrites.store(true, ordering: .releasing)
    }
    lock.withLockIfAvailable { _ in
      followOutsideWrites()
      announceFlush()
    }
  }

  /// Lets the tables follow what was written from outside.
  @inlinable
  func followOutsideWrites() {
    if hasOutsideWrites.load(ordering: .acquiring) { takeOutsideWrites() }
  }

  @inlinable
  func takeOutsideWrites() {
    let writes = outsideWrites.withLock { writes in
      hasOutsideWrites.store(false, ordering: .releasing)
      defer { writes = [] }
      return writes
    }
    refreshSlots()
    for write in writes {
      forEachFrame(write.gpa, write.byteCount) {
        var nobody = CPU.FloodState()
        written(GPA($0), $1, &nobody)
      }
    }
  }

  /// Splits a range at frames.
  @inlinable
  func forEachFrame(_ gpa: GPA, _ byteCount: Int, _ body: (UInt64, Int) -> Void) {
    var address = gpa.rawValue
    var left = byteCount
    while left > 0 {
      let count = min(left, Int(4096 - address & 4095))
      body(address, count)
      address &+= UInt64(count)
      left -= count
    }
  }

  /// The guest's table was written: entries follow, or the page is given up (SPEC F6, F8).
  @inlinable
  func written(_ gpa: GPA, _ byteCount: Int, _ flood: inout CPU.FloodState) {
    guard let first = registry.firstTable(at: gpa.frame) else { return }
    state.tally.tableWrites += 1
    notify(.tableWritten(gpa, byteCount: byteCount))
    let offset = gpa.offset(in: .size4KiB)
    let threshold = max(
      policy.floodThreshold(gfn: gpa.frame, standard: ShadowOptions.floodThreshold), 1)
    let floods =
      options.floodPolicy == .perVCPU && countFlood(gpa.frame, &flood, threshold: threshold)
    var next: ShadowPage? = first
    while let page = next {
      next = registry.nextTable(after: page)
      let size = state.formats[page.role.format].entrySize
      if isMisaligned(offset, byteCount, entrySize: size) {
        zap(page, .misaligned)
      } else if floods || countFlood(page, threshold: threshold) {
        state.tally.flooded += 1
        zap(page, .flooded)
      } else {
        for index in page.indices(ofGuestOffset: offset, entrySize: size) {
          update(page, index, &flood)
        }
      }
    }
  }

  /// Makes an entry follow its guest's: a leaf is derived anew, a table is looked up at the next fault.
  @inlinable
  func update(_ page: ShadowPage, _ index: Int, _ flood: inout CPU.FloodState) {
    let place = page.place(of: index)
    let old = load(place)
    if encoder.isVacant(old) { return drop(page, index) }
    guard page.role.level == .pageTable, encoder.isPresent(old) else { return drop(page, index) }
    let table = table(of: page)
    if refresh(page, index, in: table), encoder.isVacant(load(place)),
      let (entry, gfn) = usableLeaf(page, index, in: table)
    {
      var permissions = page.role.access.intersection(entry.permissions)
      if !entry.isDirty { permissions.remove(.write) }
      install(page, index, gfn, permissions, entry.protectionKey)
    }
    flood.lastUpdated = place
  }

  /// Whether a write hits entries askew: it crosses one, or is under 4 bytes, except a byte at an
  /// entry's start, as operating systems clear flags.
  @inlinable
  func isMisaligned(_ offset: UInt64, _ byteCount: Int, entrySize: Int) -> Bool {
    let inside = UInt64(entrySize) - 1
    if byteCount == 1, offset & inside == 0 { return false }
    let crosses = (offset ^ (offset + UInt64(byteCount) - 1)) & ~inside != 0
    return crosses || byteCount < 4
  }

  /// Counts a write to a page's table since a fault last walked through the page; leaf tables are let
  /// go out of step instead.
  @inlinable
  func countFlood(_ page: ShadowPage, threshold: Int) -> Bool {
    guard options.floodPolicy == .perPage, page.role.level > .pageTable else { return false }
    page.facts.writeCount += 1
    return page.facts.writeCount >= threshold
  }

  /// Counts a vCPU's writes to one frame between which no entry it updated was used.
  @inlinable
  func countFlood(
    _ gfn: GFN, _ flood: inout CPU.FloodState, threshold: Int
  ) -> Bool {
    let wasUsed = flood.lastUpdated.map {
      load($0).rawValue & encoder.layout.masks.accessed != 0 && encoder.isPresent(load($0))
    }
    guard flood.gfn == gfn, wasUsed != true else {
      flood.gfn = gfn
      flood.count = 1
      flood.lastUpdated = nil
      return false
    }
    flood.count += 1
    return flood.count >= threshold
  }
}
