import Paging
import TestSupport
import Testing
import X86
import X86Guest

/// Every combination of the bits that decide an access, each judged by the literal walk.
@Suite("Permission product")
struct PermissionProductTests {
  /// Bits of the leaf and of the entry above that vary: P W U A D, then PS, XD, a reserved bit.
  private struct EntryBits {
    static let all: [UInt64] = [0, 1, 2, 5, 6, 63, 51].map { 1 << $0 }

    /// The entry bits that a number chooses.
    static func choose(_ number: Int, from bits: [UInt64]) -> UInt64 {
      var entry: UInt64 = 0
      for (place, bit) in bits.enumerated() where number >> place & 1 == 1 { entry |= bit }
      return entry
    }
  }

  private static let accesses: [ReferenceAccess] = {
    var all: [ReferenceAccess] = []
    for kind in ReferenceAccess.Kind.allCases {
      for bits in 0..<8 {
        var access = ReferenceAccess(kind)
        access.user = bits & 1 != 0
        access.ac = bits & 2 != 0
        access.implicit = bits & 4 != 0
        all.append(access)
      }
    }
    return all
  }()

  /// WP, NXE, SMEP, SMAP, PKE in all combinations.
  private static func machine(_ base: ReferenceMachine, _ bits: Int) -> ReferenceMachine {
    var machine = base
    machine.cr0 = bits & 1 != 0 ? 0x8001_0001 : 0x8000_0001
    machine.efer = machine.efer & ~(1 << 11) | (bits & 2 != 0 ? 1 << 11 : 0)
    if bits & 4 != 0 { machine.cr4 |= 1 << 20 }
    if bits & 8 != 0 { machine.cr4 |= 1 << 21 }
    if bits & 16 != 0 { machine.cr4 |= 1 << 22 }
    machine.pkru = 2 << 2
    return machine
  }

  @Test(
    "W4–W11 every leaf under every access and every register agrees with the reference",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func leaves(mode: ReferenceMachine.Mode) {
    let bits = mode == .legacy32 ? [1, 2, 4, 0x20, 0x40] as [UInt64] : EntryBits.all
    check(mode) { path, number in
      guard number < 1 << bits.count else { return false }
      path.set(1, 0x40_0000 | 1 << 59 | EntryBits.choose(number, from: bits))
      return true
    }
  }

  @Test(
    "W4–W11 every directory entry, large and small, agrees with the reference",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func directories(mode: ReferenceMachine.Mode) {
    let bits: [UInt64] =
      mode == .legacy32
      ? [1, 2, 4, 0x20, 0x80, 1 << 21] : [1, 2, 4, 0x20, 0x80, 1 << 63, 1 << 51]
    check(mode) { path, number in
      guard number < 1 << bits.count else { return false }
      let entry = EntryBits.choose(number, from: bits)
      path.set(1, 0x40_0027)
      path.set(2, entry & 0x80 == 0 ? 0x1000 | entry : 0x40_0000 | 1 << 59 | entry)
      return true
    }
  }

  /// Runs all accesses and registers over the entries that `arrange` makes, until it makes none.
  private func check(
    _ mode: ReferenceMachine.Mode, _ arrange: (TablePath, Int) -> Bool
  ) {
    let path = TablePath(mode)
    var number = 0
    var checked = 0
    while arrange(path, number) {
      number += 1
      let before = (1...path.levels).map(path.entry)
      var reference = ReferenceMemory()
      reference.frames = [1, 2, 3, 4, 5]
      for level in 1...path.levels { reference.entries[path.place(level)] = path.entry(level) }
      for registers in 0..<32 {
        let machine = Self.machine(path.machine, registers)
        let regime = X86Regime(machine)
        for access in Self.accesses {
          checked += 1
          let (expected, changes) = ReferenceWalk(
            machine, reference, access, judges: true, marks: true
          ).translate(path.address)
          let outcome = regime.outcome(path.address, access, in: path.memory, Commit())
          var isRight = outcome == expected
          for level in 1...path.levels {
            let place = path.place(level)
            let wanted = changes[place] ?? before[level - 1]
            isRight = isRight && path.entry(level) == wanted
            if path.entry(level) != before[level - 1] { path.set(level, before[level - 1]) }
          }
          if !isRight {
            Issue.record("\(before) \(access) \(machine): \(outcome), should be \(expected)")
            return
          }
        }
      }
    }
    #expect(checked >= 32 * 24 * 32)
  }
}
