import Paging
import TestSupport
import Testing
import X86
import X86Guest
import X86Legacy32
import X86Long

/// What is asked of an address before any table is read, and where the tables begin.
@Suite("Linear addresses and roots")
struct LinearAddressTests {
  @Test("W1 the root is CR3 31:12 in legacy32, whatever the other bits say")
  func legacyRoot() {
    let format = Legacy32(X86Registers(), X86Features())
    #expect(format.root(cr3: 0xFFFF_FFFF_FFFF_FFFF).address == 0xFFFF_F000)
    #expect(format.root(cr3: 0x1_2345_6FFF).address == 0x2345_6000)
  }

  @Test(
    "W1 the root is CR3 M-1:12 in the long modes, without PCID, LAM and no-flush bits",
    arguments: [32, 36, 40, 52])
  func longRoot(width: Int) {
    let root = (1 << UInt64(width)) - 0x1000 as UInt64
    let features = X86Features(physicalAddressWidth: width)
    #expect(Long4(X86Registers(), features).root(cr3: ~0).address == root)
    #expect(Long5(X86Registers(), features).root(cr3: ~0).address == root)
  }

  @Test("W1 LAM_U48 drops bits 62:48 of a user pointer", arguments: [4, 5])
  func lam48(levels: Int) {
    var path = TablePath(levels == 5 ? .long5 : .long4)
    path.machine.cr3 |= 1 << 62
    #expect(path.walk(.read, at: path.address | 0x7FFF << 48).pa == 0x4000_0456)
    #expect(path.walk(.read, at: path.address | 1 << 48).pa == 0x4000_0456)
    #expect(path.walk(.read, at: path.address | 1 << 47).vector == 13)
  }

  @Test("W1 LAM_U57 drops bits 62:57 and wins over LAM_U48", arguments: [4, 5])
  func lam57(levels: Int) {
    var path = TablePath(levels == 5 ? .long5 : .long4)
    path.machine.cr3 |= 1 << 62 | 1 << 61
    #expect(path.walk(.read, at: path.address | 0x3F << 57).pa == 0x4000_0456)
    #expect(path.walk(.read, at: path.address | 1 << 56).vector == 13)
    // Bit 48 is an address bit: not canonical with four levels, another PML5E with five.
    let next = path.walk(.read, at: path.address | 1 << 48)
    #expect(levels == 5 ? next.error == 0 : next.vector == 13)
  }

  @Test("W1 supervisor LAM follows CR4.LAM_SUP and the number of levels", arguments: [4, 5])
  func lamSupervisor(levels: Int) {
    let width = UInt64(levels == 5 ? 57 : 48)
    var path = TablePath(levels == 5 ? .long5 : .long4, address: ~0 << (width - 1) | 0x12_3456)
    let tagged = path.address & ~(0x2A << 57)
    #expect(path.walk(.read, at: tagged).vector == 13)
    path.machine.cr4 |= 1 << 28
    #expect(path.walk(.read, at: tagged).pa == 0x4000_0456)
    // The user bits concern pointers with bit 63 clear alone.
    path.machine.cr4 &= ~(1 << 28)
    path.machine.cr3 |= 3 << 61
    #expect(path.walk(.read, at: tagged).vector == 13)
  }

  @Test("W1 LAM masks data accesses by anybody, never fetches, and needs the feature")
  func lamIsForData() {
    var path = TablePath(.long4)
    path.machine.cr3 |= 1 << 62
    let tagged = path.address | 0xFF << 50
    for access: ReferenceAccess in [.read, .write, .read.byUser, .write.byUser] {
      #expect(path.walk(access, at: tagged).pa == 0x4000_0456)
    }
    #expect(path.walk(.fetch.byUser, at: tagged).vector == 13)
    path.machine.hasLAM = false
    #expect(path.walk(.read, at: tagged).vector == 13)
  }

  @Test("W1 a page fault under LAM tells CR2 without the tag", arguments: [4, 5])
  func lamCR2(levels: Int) {
    var path = TablePath(levels == 5 ? .long5 : .long4, leaf: 0)
    path.machine.cr3 |= 1 << 62
    #expect(path.walk(.read, at: path.address | 0x7ABC << 48).cr2 == path.address)
  }

  @Test(
    "W13 an address that is not canonical is #GP, on the stack #SS, and reads nothing",
    arguments: [
      (4, 0x0000_8000_0000_0000), (4, 0xFFFF_7FFF_FFFF_FFFF), (4, 1 << 63), (4, 1 << 56),
      (5, 0x0100_0000_0000_0000), (5, 0xFEFF_FFFF_FFFF_FFFF), (5, 1 << 63), (5, 1 << 57),
    ] as [(Int, UInt64)])
  func nonCanonical(levels: Int, address: UInt64) {
    let path = TablePath(levels == 5 ? .long5 : .long4)
    for access: ReferenceAccess in [.read, .write.byUser, .fetch] {
      let cause = "non-canonical"
      #expect(path.walk(access, at: address) == .badAddress(vector: 13, cause: cause))
      #expect(path.walk(access.onStack, at: address) == .badAddress(vector: 12, cause: cause))
    }
    #expect(path.memory.loads == 0)
  }

  @Test(
    "W13 the edges of the canonical halves are walked",
    arguments: [
      (4, 0x0000_7FFF_FFFF_FFFF), (4, 0xFFFF_8000_0000_0000), (4, 0), (4, .max),
      (5, 0x00FF_FFFF_FFFF_FFFF), (5, 0xFF00_0000_0000_0000), (5, 0), (5, .max),
    ] as [(Int, UInt64)])
  func canonical(levels: Int, address: UInt64) {
    let path = TablePath(levels == 5 ? .long5 : .long4, address: address)
    #expect(path.walk(.read).pa == 0x4000_0000 | address & 0xFFF)
  }

  @Test(
    "W13 32-bit modes wrap at 32 bits, in CR2 too",
    arguments: [ReferenceMachine.Mode.none, .legacy32, .pae])
  func wrapping(mode: ReferenceMachine.Mode) {
    let path = TablePath(mode)
    let high = 0xFFFF_FFFF_0000_0000 | path.address
    #expect(path.walk(.read, at: high).pa == (mode == .none ? 0x12_3456 : 0x4000_0456))
    guard mode != .none else { return }
    path.set(1, 0)
    #expect(path.walk(.read, at: high).cr2 == path.address)
  }

  @Test("W13 without paging every 32-bit address is its own, nothing is read or refused")
  func unpaged() {
    let path = TablePath(.none)
    for access: ReferenceAccess in [.read, .write.byUser, .fetch.byUser] {
      #expect(path.walk(access, at: 0xFEED_F00D).pa == 0xFEED_F00D)
    }
    #expect(path.memory.loads == 0)
  }

  private struct LASSCase: Sendable {
    var name: String
    var access: ReferenceAccess
    var isUpper: Bool
    var smap: Bool
    var isRefused: Bool
  }

  private static let lassCases: [LASSCase] = [
    LASSCase(name: "user low", access: .read.byUser, isUpper: false, smap: true, isRefused: false),
    LASSCase(name: "user high", access: .read.byUser, isUpper: true, smap: true, isRefused: true),
    LASSCase(
      name: "user high fetch", access: .fetch.byUser, isUpper: true, smap: false, isRefused: true),
    LASSCase(
      name: "user fetch low", access: .fetch.byUser, isUpper: false, smap: false, isRefused: false),
    LASSCase(name: "supervisor high", access: .write, isUpper: true, smap: true, isRefused: false),
    LASSCase(name: "fetch high", access: .fetch, isUpper: true, smap: true, isRefused: false),
    LASSCase(name: "fetch low", access: .fetch, isUpper: false, smap: false, isRefused: true),
    LASSCase(
      name: "fetch low, AC", access: .fetch.withAC, isUpper: false, smap: true, isRefused: true),
    LASSCase(name: "data low", access: .read, isUpper: false, smap: true, isRefused: true),
    LASSCase(
      name: "data low, AC", access: .read.withAC, isUpper: false, smap: true, isRefused: false),
    LASSCase(
      name: "data low, no SMAP", access: .write, isUpper: false, smap: false, isRefused: false),
    LASSCase(
      name: "implicit", access: .read.implicitly, isUpper: false, smap: true, isRefused: true),
    LASSCase(
      name: "implicit, AC", access: .read.implicitly.withAC, isUpper: false, smap: true,
      isRefused: true),
    // The manual asks for CR4.SMAP=1 of implicit accesses as of explicit ones.
    LASSCase(
      name: "implicit, no SMAP", access: .read.implicitly, isUpper: false, smap: false,
      isRefused: false),
    LASSCase(
      name: "implicit by CPL 3, high", access: .read.byUser.implicitly, isUpper: true, smap: true,
      isRefused: false),
  ]

  @Test("W20 LASS refuses by bit 63 before any walk, as #GP or #SS", arguments: lassCases)
  private func lass(row: LASSCase) {
    let address: UInt64 = row.isUpper ? 0xFFFF_8000_0012_3456 : 0x12_3456
    // The page is of the access's own kind, so that nothing but LASS refuses.
    let leaf: UInt64 = row.access.user && !row.access.implicit ? 7 : 3
    var path = TablePath(.long4, address: address, leaf: leaf)
    path.machine.cr4 |= row.smap ? 1 << 27 | 1 << 21 : 1 << 27
    let outcome = path.walk(row.access)
    if row.isRefused {
      #expect(outcome == .badAddress(vector: 13, cause: "forbidden address"))
      #expect(path.walk(row.access.onStack).vector == 12)
      #expect(path.memory.loads == 0)
    } else {
      #expect(outcome.pa == 0x4000_0456)
    }
    path.machine.hasLASS = false
    #expect(path.walk(row.access).pa == 0x4000_0456)
  }

  @Test("W20 LASS is nothing to 32-bit modes", arguments: [ReferenceMachine.Mode.legacy32, .pae])
  func lassIsLong(mode: ReferenceMachine.Mode) {
    var path = TablePath(mode, leaf: 3)
    path.machine.cr4 |= 1 << 27 | 1 << 21
    #expect(path.walk(.fetch).pa == 0x4000_0456)
    #expect(path.walk(.read.implicitly).pa == 0x4000_0456)
  }
}
