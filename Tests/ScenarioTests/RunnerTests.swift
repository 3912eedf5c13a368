import Foundation
import Machine
import Paging
import Report
import Scenario
import SystemPackage
import Testing

@Suite("Running scenarios")
struct RunnerTests {
  private func last(_ steps: String) throws -> StepResult {
    try #require(try Scenarios.run(Scenarios.mapped + steps).results.last)
  }

  /// An expectation on the write of a mapped page, and whether it holds.
  private static let expectations: [(text: String, mismatch: String?)] = [
    ("ok: true", nil),
    ("ok: false", "ok: expected false, got ok"),
    ("gpa: 0x200010", nil),
    ("gpa: 0x200011", "gpa: expected 0x200011, got 0x200010"),
    ("exits: {ept-violation: 5}", nil),
    ("exits: {ept-violation: 5, ve: 0}", nil),
    ("exits: {ept-violation: 4}", "exits: expected ept-violation 4, got ept-violation 5"),
    ("exits: {}", "exits: expected none, got ept-violation 5"),
    ("exits-at-most: 5", nil),
    ("exits-at-most: 4", "exits: expected at most 4, got 5"),
    ("tlb: miss", nil),
    ("tlb: hit", "tlb: expected hit, got miss"),
    ("mmio: false", nil),
    ("mmio: true", "mmio: expected true, got false"),
    (
      "fault: {vector: 14, error: 0x7}", "fault: expected vector 14 error 0x7, got ok"
    ),
  ]

  @Test("each expectation holds, or says what was expected and what came", arguments: expectations)
  func expectationHolds(text: String, mismatch: String?) throws {
    let result = try last(
      "  - write: {va: 0x400010, value: 0x6f6c6c6548, user: true}\n    expect: {\(text)}\n")
    #expect(result.mismatches == (mismatch.map { [$0] } ?? []))
    #expect(result.isPassed == (mismatch == nil))
  }

  /// The same for what a read gives.
  private static let readings: [(form: String, text: String, mismatch: String?)] = [
    ("size: 5", "value: 0x6f6c6c6548", nil),
    ("size: 5", "value: 478560413000", nil),
    ("size: 4", "value: 0x6f6c6c6548", "value: expected 0x6f6c6c6548, got 0x6c6c6548"),
    ("size: 8, as: text", "text: Hello", nil),
    ("size: 5, as: text", "text: Hullo", "text: expected \"Hullo\", got \"Hello\""),
    ("size: 6, as: bytes", "bytes: 48656c6c6f00", nil),
    ("size: 2, as: bytes", "bytes: 4866", "bytes: expected 4866, got 4865"),
    ("size: 20", "bytes: 48656c6c6f000000000000000000000000000000", nil),
  ]

  @Test("values, texts and bytes are compared as they are written", arguments: readings)
  func readingIs(form: String, text: String, mismatch: String?) throws {
    let result = try last(
      """
        - poke: {gpa: 0x200010, text: Hello}
        - read: {va: 0x400010, user: true, \(form)}
          expect: {\(text)}

      """)
    #expect(result.mismatches == (mismatch.map { [$0] } ?? []))
  }

  @Test("a fault that is expected passes, another does not, and none asked for is no failure")
  func faults() throws {
    let fetch = "  - fetch: {va: 0x400000, user: true}\n"
    let plain = try last(fetch)
    #expect(plain.isPassed)
    #expect(plain.fault?.vector == 14)
    #expect(plain.fault?.errorCode == 0x15)
    #expect(try last(fetch + "    expect: {fault: {vector: 14, error: 0x15}}\n").isPassed)
    #expect(
      try last(fetch + "    expect: {fault: {vector: 14, error: 0x14}}\n").mismatches
        == ["fault: expected vector 14 error 0x14, got vector 14 error 0x15"])
    #expect(
      try last(fetch + "    expect: {ok: true}\n").mismatches
        == ["ok: expected true, got vector 14 error 0x15"])
  }

  @Test("an access across two pages is done whole or not at all")
  func crossingIsWhole() throws {
    let steps = """
        - write: {va: 0x401ffc, value: 0x1122334455667788, size: 8, user: true}
          expect: {fault: {vector: 14, error: 0x6}}
        - read: {va: 0x401ffc, size: 4, user: true}
          expect: {value: 0x0}
        - write: {va: 0x400ffc, value: 0x1122334455667788, size: 8, user: true}
          expect: {ok: true, gpa: 0x200ffc}
        - read: {va: 0x401000, size: 4, user: true}
          expect: {value: 0x11223344}

      """
    #expect(try Scenarios.run(Scenarios.mapped + steps).summary.failed == 0)
  }

  @Test("an unbacked slot is the host's error: it fails unless the step is to fail")
  func unbackedSlot() throws {
    let text = """
      scenario: 1
      machine:
        guest: none
        mmu: ept
        memory: [{gpa: 0x0, size: 1 MiB, device: none}]
      steps:
        - read: {va: 0x1000}
        - read: {va: 0x1000}
          expect: {exits-at-most: 9}
        - read: {va: 0x1000}
          expect: {ok: false}

      """
    let (results, summary) = try Scenarios.run(text)
    #expect(results.map(\.isPassed) == [false, false, true])
    #expect(results[0].problem == "no host memory backs guest frame 0x1")
    #expect(results[1].mismatches == ["no host memory backs guest frame 0x1"])
    #expect(summary.exits.contains { $0.cause == .error && $0.count == 3 })
  }

  @Test("poke writes behind a read-only slot, and says where memory ends")
  func pokes() throws {
    let text = """
      scenario: 1
      machine:
        guest: none
        mmu: ept
        memory: [{gpa: 0x0, size: 4 KiB, readonly: true}]
      steps:
        - poke: {gpa: 0x10, bytes: 0a0b}
          expect: {ok: true}
        - read: {va: 0x10, size: 2}
          expect: {value: 0xb0a}
        - poke: {gpa: 0xfff, bytes: 0a0b}

      """
    let (results, _) = try Scenarios.run(text)
    #expect(results.map(\.isPassed) == [true, true, false])
    #expect(results[2].problem == "no memory at GPA 0x1000")
  }

  @Test(
    "map says what it cannot do",
    arguments: [
      ("map: {va: 0x800000000000, gpa: 0, size: 4 KiB, permissions: ur--}", "cannot be mapped"),
      ("map: {va: 0x200000, gpa: 0, size: 2 MiB, page-size: 2 MiB, permissions: ur--}", nil),
      ("map: {va: 0x400000, gpa: 0, size: 2 MiB, page-size: 2 MiB, permissions: ur--}", "already"),
      (
        "map: {va: 0, gpa: 0, size: 4 MiB, page-size: 4 MiB, permissions: ur--}",
        "no pages of 4 MiB"
      ),
      ("map: {va: 0, gpa: 0, size: 4 KiB, permissions: ur--, tables-at: 1 GiB}", "no memory"),
    ] as [(String, String?)])
  func maps(step: String, says: String?) throws {
    let result = try last("  - \(step)\n")
    guard let says else {
      #expect(result.isPassed, "\(result.problem ?? "")")
      return
    }
    #expect(result.problem?.contains(says) == true, "\(result.problem ?? "no problem")")
  }

  @Test("a 32-bit guest's tables cannot name what lies above 4 GiB")
  func narrowEntries() throws {
    let text = """
      scenario: 1
      machine:
        guest: legacy32
        mmu: ept
        memory: [{gpa: 0x0, size: 8 GiB}]
      steps:
        - map: {va: 0x0, gpa: 0x100000000, size: 4 KiB, permissions: ur--, tables-at: 0x10000}
        - map: {va: 0x100000000, gpa: 0x0, size: 4 KiB, permissions: ur--}
        - map: {va: 0x0, gpa: 0x0, size: 4 KiB, permissions: ur--, tables-at: 0x100000000}

      """
    let (results, _) = try Scenarios.run(text)
    #expect(results.map(\.isDone) == [false, false, false])
    #expect(results[0].problem?.contains("pass 4 GiB") == true)
  }

  @Test("the summary counts steps, exits, look-ups, exceptions and entries")
  func summary() throws {
    let steps = """
        - write: {va: 0x400000, value: 1, user: true}
        - read: {va: 0x400000, user: true}
        - fetch: {va: 0x400000, user: true}
        - set-register: {cr3: 0x10000000000000}
        - repeat: {count: 10, range: [0x800000, 0x800010], access: {read: {size: 8}}}
          expect: {ok: true}

      """
    let (results, summary) = try Scenarios.run(Scenarios.mapped + steps)
    #expect(
      results.last?.mismatches == ["ok: expected true, got vector 14 error 0x0"])
    #expect(results.last?.completed == 0)
    #expect((summary.steps, summary.passed, summary.failed) == (6, 5, 1))
    #expect(summary.exits.map(\.cause) == [.eptViolation])
    #expect(summary.exits.map(\.count) == [5])
    #expect(summary.faults.map(\.vector) == [13, 14])
    #expect(summary.faults.map(\.count) == [1, 11])
    #expect(summary.tlbHits == 1)
    #expect(summary.spteInstalls == 5)
    #expect(summary.tablePages > 3)
  }

  @Test("result and summary lines have the keys of the format, in its order")
  func jsonKeys() throws {
    let (results, summary) = try Scenarios.run(
      Scenarios.mapped + "  - write: {va: 0x400000, value: 1, user: true}\n")
    let line = try #require(results.last).json.line
    #expect(
      line.hasPrefix(
        #"{"step":2,"do":"write","va":"0x400000","ok":true,"gpa":"0x200000","hpa":"0x"#))
    #expect(line.contains(#","exits":{"ept-violation":5},"tlb":"miss","events":["EPT violation:"#))
    #expect(
      summary.json.line.hasPrefix(
        #"{"summary":{"steps":2,"passed":2,"failed":0,"exits":{"ept-violation":5},"tlb":{"hits":0,"#
          + #""misses":1},"faults":{},"spteInstalls":5,"tablePages":"#))
    #expect(summary.json.line.hasSuffix(#""mmio":{"cached":0,"searched":0}}}"#))
  }

  @Test("T8 memslots come, move, change and go; what cannot be is said")
  func memslots() throws {
    let steps = """
        - memslot: {add: {gpa: 0x1000000, size: 4 KiB}}
          expect: {ok: true}
        - map: {va: 0x500000, gpa: 0x1000000, size: 4 KiB, permissions: -rw-}
        - write: {va: 0x500000, value: 0x77, size: 1}
          expect: {ok: true, mmio: false}
        - memslot: {move: {gpa: 0x1000000, to: 0x2000000}}
          expect: {ok: true}
        - read: {va: 0x500000, size: 1}
          expect: {value: 0xff, mmio: true}
        - map: {va: 0x500000, gpa: 0x2000000, size: 4 KiB, permissions: -rw-}
        - invlpg: {va: 0x500000}
        - read: {va: 0x500000, size: 1}
          expect: {value: 0x77}
        - memslot: {flags: {gpa: 0x2000000, readonly: true}}
        - write: {va: 0x500000, value: 0x78, size: 1}
          expect: {ok: true, mmio: true}
        - read: {va: 0x500000, size: 1}
          expect: {value: 0x77}
        - audit: {}
        - memslot: {move: {gpa: 0x2000000, to: 0xfff000}}
          expect: {ok: false}
        - memslot: {remove: {gpa: 0x3000000}}
          expect: {ok: false}
        - memslot: {remove: {gpa: 0x2000000}}
          expect: {ok: true}
        - read: {va: 0x500000, size: 1}
          expect: {value: 0xff, mmio: true}
        - audit: {}

      """
    let (results, summary) = try Scenarios.run(Scenarios.mapped + steps)
    #expect(summary.failed == 0, "\(results.flatMap(\.mismatches))")
    #expect(results[13].problem?.contains("overlaps") == true)
    #expect(results[14].problem == "no memslot begins there")
  }

  @Test("T1 lanes of a parallel step run side by side and lose nothing")
  func parallel() throws {
    let text = try String(
      decoding: Scenarios.example("two-processors.yaml"), as: UTF8.self)
    for _ in 0..<8 {
      let (results, summary) = try Scenarios.run(text)
      #expect(summary.failed == 0, "\(results.flatMap(\.mismatches))")
      #expect(results[1].completed == 4)
      #expect(summary.tlbHits + summary.tlbMisses >= 8194)
    }
  }
}
