import Paging
import TestSupport
import Testing
import X86
import X86Guest

/// The walker against the literal walk on random tables, registers and accesses.
@Suite("Walker and reference agree")
struct ReferencePropertyTests {
  /// Walks per table set: each one judged, committed and probed.
  private static let walksPerTables = 24
  #if DEBUG
  private static let walks = 20_000
  #else
  private static let walks = 240_000
  #endif

  @Test(
    "random walks end as the reference says, A and D included (W1–W15, W19, W20)",
    arguments: [ReferenceMachine.Mode.legacy32, .pae, .long4, .long5])
  func randomWalks(mode: ReferenceMachine.Mode) {
    let memory = GuestTestMemory()
    var counts = EndCounts()
    var done = 0
    var seed: UInt64 = 0
    while done < Self.walks {
      seed += 1
      var random = SeededGenerator(seed: seed)
      var tables = RandomTables(mode, &random)
      let regime = X86Regime(tables.machine)
      tables.write(to: memory)
      for _ in 0..<Self.walksPerTables {
        done += 1
        let isRight = check(&tables, regime, memory, seed, &counts, &random)
        if !isRight { return }
      }
    }
    // The property says nothing where walks do not arrive.
    #expect(counts.arrived * 15 > done, "few walks arrive: \(counts)")
    #expect(counts.refused * 50 > done, "few walks are refused: \(counts)")
    #expect(counts.reserved * 100 > done && counts.absent * 100 > done, "\(counts)")
    #expect(counts.marked * 100 > done, "few walks set A or D: \(counts)")
  }

  /// One address and access, walked in the three ways.
  private func check(
    _ tables: inout RandomTables, _ regime: X86Regime, _ memory: GuestTestMemory, _ seed: UInt64,
    _ counts: inout EndCounts, _ random: inout SeededGenerator
  ) -> Bool {
    let address = tables.address(&random)
    let access = tables.access(&random)
    let machine = tables.machine
    memory.resetCounts()
    let probed = regime.outcome(address, access, in: memory, Probe())
    let judged = regime.outcome(address, access, in: memory, Judge())
    let silent = memory.exchanges == 0
    let expectedProbe = ReferenceWalk(
      machine, tables.reference, access, judges: false, marks: false
    ).translate(address).0
    let (expected, changes) = ReferenceWalk(
      machine, tables.reference, access, judges: true, marks: true
    ).translate(address)
    let committed = regime.outcome(address, access, in: memory, Commit())
    counts.add(expected, changes)

    let before = tables.reference
    for (place, entry) in changes { tables.reference.entries[place] = entry }
    let isStored = changes.allSatisfy { place, entry in
      machine.mode == .legacy32
        ? UInt64(memory.peek(place, as: UInt32.self)) == entry
        : memory.peek(place, as: UInt64.self) == entry
    }
    let expectedJudge = ReferenceWalk(
      machine, before, access, judges: true, marks: false
    ).translate(address).0
    let isRight =
      silent && probed == expectedProbe && judged == expectedJudge && committed == expected
      && isStored && Set(memory.stores) == Set(changes.keys)
    if !isRight {
      Issue.record(
        """
        seed \(seed), address 0x\(String(address, radix: 16)), \(access), \(machine)
        probe  \(probed)
        should \(expectedProbe)
        commit \(committed)
        should \(expected)
        judge  \(judged)
        stored \(memory.stores), should \(changes)
        """)
    }
    return isRight
  }
}

/// How many reference walks ended in which way.
struct EndCounts {
  var arrived = 0
  var refused = 0
  var reserved = 0
  var absent = 0
  var badAddresses = 0
  var unreadable = 0
  var marked = 0

  mutating func add(_ outcome: ReferenceOutcome, _ changes: [UInt64: UInt64]) {
    if !changes.isEmpty { marked += 1 }
    switch outcome {
    case .translated: arrived += 1
    case .badAddress: badAddresses += 1
    case .unreadable: unreadable += 1
    case .pageFault(_, _, "permission", _): refused += 1
    case .pageFault(_, _, "reserved bit", _): reserved += 1
    case .pageFault: absent += 1
    }
  }
}
