import Paging
import TestSupport
import Testing

/// Who may do what on a walk that arrived, and what the error code tells.
@Suite("Access rights and error codes")
struct RightsTests {
  private static let modes: [ReferenceMachine.Mode] = [.legacy32, .pae, .long4, .long5]
  private static let accesses: [ReferenceAccess] = [
    .read, .write, .fetch, .read.byUser, .write.byUser, .fetch.byUser,
  ]

  @Test("W7 W and U are told as the access was, also with P=0", arguments: modes)
  func notPresentCodes(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode, leaf: 0)
    let fetch: UInt32 = mode == .legacy32 ? 0 : 16
    #expect(Self.accesses.map(path.error) == [0, 2, fetch, 4, 6, 4 | fetch])
    #expect(path.error(.read.byUser.implicitly) == 0)
  }

  @Test("W7 I is told with NXE and PAE, or with SMEP, and else not", arguments: modes)
  func fetchBit(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: 0)
    path.machine.efer &= ~(1 << 11)
    #expect(path.error(.fetch) == 0)
    path.machine.cr4 |= 1 << 20
    #expect(path.error(.fetch) == 16)
    #expect(path.error(.read) == 0)
  }

  @Test("W7 RSVD implies P, and no PK comes with it", arguments: [ReferenceMachine.Mode.long4])
  func reservedCodes(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: 7 | 1 << 45)
    path.machine.cr4 |= 1 << 22
    path.machine.pkru = ~0
    #expect(Self.accesses.map(path.error) == [9, 11, 25, 13, 15, 29])
  }

  @Test("W8 a supervisor write to a read-only page faults with WP=1 alone", arguments: modes)
  func writeProtect(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: 5)
    #expect(path.error(.write) == 3)
    #expect(path.error(.write.byUser) == 7)
    #expect(path.error(.read.byUser) == nil)
    path.machine.cr0 &= ~(1 << 16)
    #expect(path.error(.write) == nil)
    #expect(path.error(.write.byUser) == 7)
  }

  @Test("W8 R/W and U/S must be set at every level, XD clear at every level", arguments: modes)
  func everyLevel(mode: ReferenceMachine.Mode) {
    for level in 1...TablePath(mode).levels {
      let path = TablePath(mode)
      let entry = path.entry(level)
      path.set(level, entry & ~2)
      #expect(path.error(.write.byUser) == 7, "level \(level)")
      path.set(level, entry & ~4)
      #expect(path.error(.read.byUser) == 5, "level \(level)")
      #expect(path.error(.read) == nil, "level \(level)")
      guard mode != .legacy32 else { continue }
      path.set(level, entry | 1 << 63)
      #expect(path.error(.fetch.byUser) == 0x15, "level \(level)")
      #expect(path.error(.fetch) == 0x11, "level \(level)")
      #expect(path.error(.read.byUser) == nil, "level \(level)")
    }
  }

  @Test("W9 SMEP refuses supervisor fetches from user pages", arguments: modes)
  func smep(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode)
    #expect(path.error(.fetch) == nil)
    path.machine.cr4 |= 1 << 20
    #expect(path.error(.fetch) == 0x11)
    #expect(path.error(.fetch.withAC) == 0x11)
    #expect(path.error(.fetch.byUser) == nil)
    path.set(path.levels, path.entry(path.levels) & ~4)
    #expect(path.error(.fetch) == nil)
  }

  @Test(
    "W9 SMAP refuses supervisor data in user pages unless AC, implicit always", arguments: modes)
  func smap(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode)
    #expect(path.error(.read) == nil)
    path.machine.cr4 |= 1 << 21
    #expect(path.error(.read) == 1)
    #expect(path.error(.write) == 3)
    #expect(path.error(.read.withAC) == nil)
    #expect(path.error(.read.withAC.implicitly) == 1)
    #expect(path.error(.read.byUser.withAC.implicitly) == 1)
    #expect(path.error(.fetch) == nil)
    #expect(path.error(.write.byUser) == nil)
    path.set(1, path.entry(1) & ~4)
    #expect(path.error(.write.implicitly) == nil)
  }

  @Test("W10 PKRU denies data in user pages, in the long modes alone", arguments: modes)
  func userKeys(mode: ReferenceMachine.Mode) {
    let key: UInt64 = mode == .long4 || mode == .long5 ? 9 << 59 : 0
    var path = TablePath(mode, leaf: 7 | key)
    path.machine.cr4 |= 1 << 22
    path.machine.pkru = key == 0 ? 1 : 1 << 18
    if key == 0 {
      #expect(Self.accesses.map(path.error) == [nil, nil, nil, nil, nil, nil])
      return
    }
    #expect(Self.accesses.map(path.error) == [0x21, 0x23, nil, 0x25, 0x27, nil])
    // Another key's bits say nothing.
    path.machine.pkru = ~(3 << 18)
    #expect(Self.accesses.map(path.error) == [nil, nil, nil, nil, nil, nil])
    path.machine.pkru = 2 << 18
    #expect(Self.accesses.map(path.error) == [nil, 0x23, nil, nil, 0x27, nil])
    path.machine.cr0 &= ~(1 << 16)
    #expect(Self.accesses.map(path.error) == [nil, nil, nil, nil, 0x27, nil])
    path.machine.cr4 &= ~(1 << 22)
    #expect(path.error(.write.byUser) == nil)
  }

  @Test("W10 PKRS denies data in supervisor pages, and its WD needs WP=1 of anybody")
  func supervisorKeys() {
    var path = TablePath(.long4, leaf: 3 | 5 << 59)
    path.machine.cr4 |= 1 << 24
    path.machine.pkrs = 1 << 10
    #expect(path.error(.read) == 0x21)
    #expect(path.error(.write.implicitly) == 0x23)
    #expect(path.error(.fetch) == nil)
    path.machine.pkrs = 2 << 10
    #expect(path.error(.read) == nil)
    #expect(path.error(.write) == 0x23)
    #expect(path.error(.write.byUser) == 0x27)
    path.machine.cr0 &= ~(1 << 16)
    #expect(path.error(.write) == nil)
    // U/S refuses; the key does not, since WP=0 silences WD on supervisor pages.
    #expect(path.error(.write.byUser) == 7)
    path.machine.pkru = ~0
    path.machine.cr4 |= 1 << 22
    #expect(path.error(.write) == nil)
  }

  @Test("W7 PK is told also when U/S, R/W or SMAP deny the access too")
  func keyTogether() {
    var path = TablePath(.long4, leaf: 5)
    path.machine.cr4 |= 1 << 22 | 1 << 21
    path.machine.pkru = 1
    #expect(path.error(.write.byUser) == 0x27)
    #expect(path.error(.read) == 0x21)
    path.set(1, 0x4000_0003)
    #expect(path.error(.read.byUser) == 5)
    path.machine.cr4 |= 1 << 24
    path.machine.pkrs = 1
    #expect(path.error(.read.byUser) == 0x25)
    path.set(1, 0)
    #expect(path.error(.read.byUser) == 4)
  }

  @Test("W19 a shadow-stack access needs R/W=1 above, R/W=0 and D=1 in the leaf, its own U/S")
  func shadowStack() {
    var path = TablePath(.long4, leaf: 0x65)
    let user = ReferenceAccess.write.byUser.onShadowStack
    #expect(path.error(user) == 0x47)
    path.machine.cr4 |= 1 << 23
    #expect(path.error(user) == nil)
    #expect(path.error(.read.byUser.onShadowStack) == nil)
    #expect(path.error(.write.onShadowStack) == 0x43)
    // An ordinary write sees a read-only page.
    #expect(path.error(.write.byUser) == 7)
    #expect(path.error(.read.byUser) == nil)
    path.set(1, 0x4000_0025)
    #expect(path.error(user) == 0x47)
    path.set(1, 0x4000_0067)
    #expect(path.error(user) == 0x47)
    path.set(1, 0x4000_0061)
    #expect(path.error(user) == 0x47)
    #expect(path.error(.write.onShadowStack) == nil)
    for level in 2...4 {
      path.set(level, path.entry(level) & ~2)
      #expect(path.error(.write.onShadowStack) == 0x43)
      path.set(level, path.entry(level) | 2)
    }
    path.set(1, 0)
    #expect(path.error(user) == 0x46)
  }

  @Test("W19 protection keys hold for shadow stacks too")
  func shadowStackKeys() {
    var path = TablePath(.long4, leaf: 0x65 | 3 << 59)
    path.machine.cr4 |= 1 << 23 | 1 << 22
    path.machine.pkru = 2 << 6
    #expect(path.error(.write.byUser.onShadowStack) == 0x67)
    #expect(path.error(.read.byUser.onShadowStack) == nil)
  }
}
