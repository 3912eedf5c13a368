import Paging
import TestSupport
import Testing
import X86
import X86Guest

/// Accessed and dirty bits, races on them, and what a walk does besides.
@Suite("Accessed and dirty bits")
struct MarkTests {
  private static let modes: [ReferenceMachine.Mode] = [.legacy32, .pae, .long4, .long5]

  @Test("W11 a read sets A at every level, a write D in the leaf alone as well", arguments: modes)
  func marks(mode: ReferenceMachine.Mode) {
    for (access, bits): (ReferenceAccess, UInt64) in [
      (.read, 0x20), (.fetch, 0x20), (.write, 0x60),
    ] {
      let path = TablePath(mode)
      let before = path.entries
      let found = path.walk(access).found
      #expect(path.entries[0] == before[0] | bits)
      #expect(path.entries.dropFirst().elementsEqual(before.dropFirst().map { $0 | 0x20 }))
      #expect(path.memory.exchanges == before.count)
      #expect(found?.leaf == path.entries[0])
    }
  }

  @Test("W11 a large leaf gets A and D like a small one", arguments: [2, 3])
  func largeLeaf(level: Int) {
    let path = TablePath(.long4, leafLevel: level)
    #expect(path.walk(.write).found?.level == level)
    #expect(path.entry(level) & 0x60 == 0x60)
    #expect(path.entry(level + 1) & 0x60 == 0x20)
  }

  @Test("W11 where the bits are set already nothing is exchanged", arguments: modes)
  func alreadySet(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    _ = path.walk(.write)
    path.memory.resetCounts()
    for access: ReferenceAccess in [.write, .read, .fetch] {
      #expect(path.walk(access).found != nil)
    }
    #expect(path.memory.exchanges == 0)
  }

  @Test("W11 a write after a read exchanges the leaf alone", arguments: modes)
  func dirtyLater(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    _ = path.walk(.read)
    #expect(path.entry(1) & 0x60 == 0x20)
    path.memory.resetCounts()
    _ = path.walk(.write)
    #expect(path.memory.stores == [path.place(1)])
    #expect(path.entry(1) & 0x60 == 0x60)
  }

  @Test("W11 a refused access sets nothing at any level", arguments: modes)
  func refused(mode: ReferenceMachine.Mode) {
    for leaf: UInt64 in [0, 1, 5] {
      let path = TablePath(mode, leaf: leaf)
      let before = path.entries
      #expect(path.walk(.write.byUser).error != nil)
      #expect(path.entries == before)
      #expect(path.memory.exchanges == 0)
    }
  }

  @Test("W11 W19 D is set in a read-only leaf with WP=0 alone", arguments: modes)
  func dirtyReadOnly(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: 5)
    #expect(path.walk(.write).error == 3)
    #expect(path.entry(1) & 0x60 == 0)
    path.machine.cr0 &= ~(1 << 16)
    #expect(path.walk(.write).found != nil)
    #expect(path.entry(1) & 0x60 == 0x60)
  }

  @Test("W11 in a read-only page the bits stay clear and the walk succeeds", arguments: modes)
  func readOnly(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    path.memory.readOnlyFrames = [1]
    let before = path.entry(1)
    #expect(path.walk(.write).found?.leaf == before)
    #expect(path.entry(1) == before)
    #expect(path.entry(2) & 0x20 == 0x20)
  }

  @Test("W11 a lost race begins the walk again and sees the new entry", arguments: modes)
  func lostRace(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    let leaf = path.entry(1)
    var isChanged = false
    path.memory.afterLoad = { address in
      guard address == path.place(1), !isChanged else { return }
      isChanged = true
      path.set(1, leaf & 0xFFF | 0x8000_0000)
    }
    #expect(path.walk(.write).pa == 0x8000_0456)
    #expect(path.entry(1) == 0x8000_0000 | leaf & 0xFFF | 0x60)
    #expect(path.memory.loads == 2 * path.levels)
  }

  @Test("W11 after a lost race the access is judged by the new entries", arguments: modes)
  func lostRight(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    path.memory.afterLoad = { address in
      if address == path.place(1) { path.set(1, 0x4000_0005) }
    }
    #expect(path.walk(.write.byUser).error == 7)
    #expect(path.entry(1) == 0x4000_0005)
  }

  @Test("W11 another walker's A between load and exchange is kept", arguments: modes)
  func noBitIsLost(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    path.memory.afterLoad = { address in
      if address == path.place(2) { path.set(2, path.entry(2) | 0x20 | 0x200) }
    }
    #expect(path.walk(.read).found != nil)
    #expect(path.entry(2) & 0x220 == 0x220)
  }

  @Test("W11 endless contention ends the walk within its budget", arguments: modes)
  func contention(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    var turn: UInt64 = 0
    path.memory.afterLoad = { address in
      guard address == path.place(1) else { return }
      turn += 1
      path.set(1, 0x4000_0007 | (turn & 7) << 9)
    }
    let result = X86Regime(path.machine).translate(
      GVA(path.address), for: .write, in: path.memory, Commit())
    guard case .failure(.contended) = result else {
      Issue.record("the walk ended with \(result)")
      return
    }
    #expect(path.memory.loads <= 100 * path.levels)
  }

  @Test("W11 an entry that is two levels of one walk gets its bits once", arguments: [2, 3, 4])
  func recursive(level: Int) {
    // The top table's own slot 511: every level from the top down to `level` is the same entry.
    let slot: UInt64 = 511
    var address: UInt64 = 0xFFFF << 48
    for step in 0..<4 as Range<UInt64> where 4 - Int(step) >= level {
      address |= slot << (39 - 9 * step)
    }
    let path = TablePath(.long4, address: 0x12_3456)
    let place: UInt64 = 0x4000 + slot * 8
    path.memory.poke(place, 0x4003 as UInt64)
    path.memory.poke(0x4000, 0x4003 as UInt64)
    #expect(path.walk(.write, at: address).found != nil)
    #expect(path.memory.peek(place, as: UInt64.self) & 0x20 == 0x20)
    #expect(path.memory.stores.filter { $0 == place }.count == 1)
  }

  @Test("W12 the result has address, size, level and both kinds of rights", arguments: modes)
  func result(mode: ReferenceMachine.Mode) throws {
    for level in 1...(mode == .long4 || mode == .long5 ? 3 : 2) {
      let path = TablePath(
        mode, address: 0x2ABC_DEF0, leafLevel: level, leaf: 0x1D | 0xE00, page: 0x8000_0000)
      let found = try #require(path.walk(.read.byUser).found)
      let shift: UInt64 = mode == .legacy32 && level == 2 ? 22 : UInt64(3 + 9 * level)
      #expect(found.pageSize == 1 << shift)
      #expect(found.level == level)
      #expect(found.pa == 0x8000_0000 | path.address & ((1 << shift) - 1))
      #expect(found.user && !found.writable && found.executable)
      #expect(found.tablesWritable && found.tablesUser && found.tablesExecutable)
      #expect(found.leaf == path.entry(level))
    }
  }

  @Test("W12 every entry is told with its address, root first, and a restart forgets them")
  func recorded() {
    let path = TablePath(.long5)
    var isChanged = false
    path.memory.afterLoad = { address in
      guard address == path.place(1), !isChanged else { return }
      isChanged = true
      path.set(1, 0x8000_0007)
    }
    var strategy = Recording(Commit())
    let result = X86Regime(path.machine).translate(
      GVA(path.address), for: .read, in: path.memory, &strategy)
    #expect((try? result.get())?.address == GPA(0x8000_0456))
    #expect(strategy.steps.map(\.entryAddress) == [5, 4, 3, 2, 1].map(path.place))
    #expect(strategy.steps.map(\.level.rawValue) == [5, 4, 3, 2, 1])
    #expect(strategy.steps.map(\.kind) == [.table, .table, .table, .table, .leaf])
    #expect(strategy.steps.last?.entry == 0x8000_0007)
  }

  @Test(
    "W14 a table outside the memory is its own outcome, with the entry and level", arguments: modes)
  func unreadable(mode: ReferenceMachine.Mode) {
    let top = TablePath(mode).levels
    for level in 1...top {
      var path = TablePath(mode)
      if level == top {
        path.machine.cr3 = 0x7000_0000
        path.machine.pdptes = Array(repeating: 0x7000_0001, count: 4)
      } else {
        path.set(level + 1, 0x7000_0007)
      }
      let entry = 0x7000_0000 | path.place(level) & 0xFFF
      for access: ReferenceAccess in [.read, .write.byUser, .fetch] {
        #expect(path.walk(access) == .unreadable(entry: entry, level: level))
        #expect(path.walk(access, Probe()) == .unreadable(entry: entry, level: level))
      }
      #expect(path.memory.stores == [])
    }
  }

  @Test("W14 a page that vanishes before the exchange is unreadable too")
  func unwritable() {
    let path = TablePath(.long4)
    path.memory.unwritableFrames = [2]
    #expect(path.walk(.read) == .unreadable(entry: path.place(2), level: 2))
    #expect(path.walk(.read, Judge()).found != nil)
  }

  @Test("W15 the tools' walk judges no access and changes nothing", arguments: modes)
  func probe(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: mode == .legacy32 ? 1 : 1 | 1 << 63)
    path.machine.cr4 |= 1 << 20 | 1 << 21
    let before = path.entries
    for access: ReferenceAccess in [.read, .write.byUser, .fetch.byUser, .read.implicitly] {
      let found = path.walk(access, Probe()).found
      #expect(found?.pa == 0x4000_0456)
      #expect(found?.user == false && found?.writable == false)
    }
    #expect(path.entries == before)
    #expect(path.memory.exchanges == 0)
    #expect(path.walk(.write.byUser, Judge()).error == 7)
    #expect(path.walk(.write, Judge()).error == 3)
    #expect(path.memory.exchanges == 0)
  }
}
