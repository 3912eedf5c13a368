import CBenchTwin
import Paging
import Testing
import X86
import X86Guest

@testable import MMUBench

/// The twin was written apart from the library, from the same rules; where both find the same on
/// damaged tables under random registers, neither times a shortcut.
@Suite("C twin")
struct TwinAgreementTests {
  @Test(
    "damaged tables under random registers: same results, faults, A and D bits (W4–W13, W19, W20)",
    arguments: [X86Mode.long4, .long5, .pae, .legacy32])
  func damagedTables(mode: X86Mode) {
    let base: UInt64 =
      switch mode {
      case .none, .legacy32, .pae: 0
      case .long4: 0x7A00_0000_0000
      case .long5: 0x0012_7A00_0000_0000
      }
    var translated: UInt64 = 0
    var refused: UInt64 = 0
    for seed in UInt64(1)...150 {
      var random = SplitMix(state: seed)
      var tables = GuestTables(.init(mode: mode, bits: 24, base: base))
      randomise(&tables, &random)
      let loop = randomLoop(base: base, mode: mode, &random)
      let before = snapshot(tables)

      for (work, isCommit) in [(CBT_PLAIN, false), (CBT_CHECKED, true)] {
        restore(before, to: tables)
        let expected = loop.runTwin(tables.setup, work, CBT_RANDOM, in: tables.memory)
        let expectedTables = tables.memory.digest()
        restore(before, to: tables)
        let found =
          isCommit
          ? loop.run(tables.regime, Commit(), RandomPattern.self, in: tables.memory)
          : loop.run(tables.regime, Probe(), RandomPattern.self, in: tables.memory)
        #expect(found == expected, "seed \(seed), commit \(isCommit)")
        #expect(tables.memory.digest() == expectedTables, "seed \(seed), commit \(isCommit)")
        refused += found.failures
        translated += UInt64(loop.count) - found.failures
      }
    }
    // A test in which everything faults, or nothing does, would say little.
    #expect(translated > 10_000)
    #expect(refused > 10_000)
  }

  private func randomise(_ tables: inout GuestTables, _ random: inout SplitMix) {
    let isLegacy = tables.shape.mode == .legacy32
    let highest: UInt64 = isLegacy ? 32 : 64
    for address in stride(from: UInt64(4096), to: UInt64(tables.memory.byteCount), by: 8) {
      guard random.next() % 12 == 0 else { continue }
      guard case .success(let entry) = tables.memory.load(GPA(address), as: UInt64.self),
        entry != 0
      else { continue }
      let bit = random.next() % 3 == 0 ? random.next() % highest : random.next() % 9
      tables.memory.store(entry ^ 1 << bit, at: address)
    }
    var registers = tables.registers
    if random.next() % 2 == 0 { registers.cr0.remove(.writeProtect) }
    if random.next() % 2 == 0 { registers.efer.remove(.noExecuteEnable) }
    let switches: [CR4] = [
      .pageSizeExtensions, .supervisorExecutionPrevention, .supervisorAccessPrevention,
      .userProtectionKeys, .supervisorProtectionKeys, .controlFlowEnforcement,
      .supervisorLinearAddressMasking,
    ]
    for flag in switches {
      if random.next() % 2 == 0 { registers.cr4.insert(flag) } else { registers.cr4.remove(flag) }
    }
    if random.next() % 4 == 0 { registers.cr4.insert(.linearAddressSpaceSeparation) }
    if random.next() % 3 == 0 { registers.cr3 |= random.next() & (3 << 61) }
    registers.pkru = UInt32(truncatingIfNeeded: random.next() & random.next())
    registers.pkrs = UInt32(truncatingIfNeeded: random.next() & random.next())
    tables.registers = registers
    tables.features.vendor = random.next() % 2 == 0 ? .amd : .intel
    tables.features.gigabytePages = random.next() % 2 == 0
    tables.features.physicalAddressWidth = Int(36 + random.next() % 17)
  }

  private func randomLoop(base: UInt64, mode: X86Mode, _ random: inout SplitMix) -> WalkLoop {
    var base = base
    if mode == .long4 || mode == .long5, random.next() % 3 == 0 {
      base ^= 1 << (random.next() % 4 == 0 ? 63 : 47 + random.next() % 16)
    }
    var loop = WalkLoop(base: base, bits: 24, count: 512)
    for index in loop.accesses.indices {
      let kind = AccessKind.allCases[Int(random.next() % 3)]
      loop.accesses[index] = X86Access(
        kind, user: random.next() % 2 == 0, implicit: random.next() % 4 == 0,
        alignmentCheck: random.next() % 2 == 0, stack: random.next() % 4 == 0,
        shadowStack: random.next() % 6 == 0)
    }
    return loop
  }

  private func snapshot(_ tables: borrowing GuestTables) -> [UInt64] {
    stride(from: UInt64(0), to: UInt64(tables.memory.byteCount), by: 8).map { address in
      guard case .success(let word) = tables.memory.load(GPA(address), as: UInt64.self)
      else { return 0 }
      return word
    }
  }

  private func restore(_ words: [UInt64], to tables: borrowing GuestTables) {
    for (index, word) in words.enumerated() {
      tables.memory.store(word, at: UInt64(index) * 8)
    }
  }
}

/// A small generator with a seed, so that a failure names its case.
private struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
