import Foundation
import Machine
import Paging
import Scenario
import SystemPackage
import TestSupport
import Testing

@Suite("Hostile scenario files")
struct FuzzTests {
  /// Words that reach deep into the decoder.
  private static let words: [[UInt8]] = [
    "0x", "-1", "18446744073709551615", "18446744073709551616", "0xffffffffffffffff", "64 TiB",
    "1 KiB", "[", "{", "}", "]", ": ", "- ", "\n", "? ", "'", "\"", "*a", "&a", "!", "|", ">", "<<",
    "---", "long5", "pae", "legacy32", "none", "read", "write", "memslot", "parallel", "vcpu: 1",
    "cr3", "as: text", "size", "gpa", "private", "shared", "tdx", "2 MiB", "to: shared", "\u{0}",
    "\u{85}", "\u{FEFF}", "~",
  ].map { Array($0.utf8) }

  private func mutate(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
      let place = Int.random(in: 0..<bytes.count, using: &random)
      switch Int.random(in: 0..<6, using: &random) {
      case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
      case 1: bytes.remove(at: place)
      case 2: bytes.insert(contentsOf: Self.words.randomElement(using: &random) ?? [], at: place)
      case 3: bytes.removeSubrange(place..<min(place + 20, bytes.count))
      case 4:
        let end = min(place + Int.random(in: 1...60, using: &random), bytes.count)
        bytes.insert(contentsOf: bytes[place..<end], at: place)
      default: bytes[place] = UInt8.random(in: 0x30...0x39, using: &random)
      }
    }
    return bytes
  }

  /// What running would cost, so that the test ends.
  private func isCheap(_ scenario: Scenario) -> Bool {
    let machine = scenario.machine
    guard machine.vcpuCount * (machine.tlb?.entries ?? 1536) <= 1 << 16 else { return false }
    let cost = scenario.steps.reduce(0) { cost, step in
      switch step.action {
      case .repeated(let repeated): cost + min(repeated.count, 1 << 20)
      case .map(let map): cost + Int(map.byteCount >> UInt64(map.pageSize.shift))
      case .privateMemory(let action): cost + min(action.pageCount, 1 << 20)
      default: cost + 1
      }
    }
    return cost < 3000
  }

  @Test("random bytes and mutated examples give a result or one error")
  func mutationsAreSurvived() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["MMU_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0x5CE7_A210
    let rounds = environment["MMU_FUZZ_ROUNDS"].flatMap { Int($0) } ?? 10_000
    print("scenario fuzz, seed \(seed)")
    var random = SeededGenerator(seed: seed)
    let small = try Scenarios.exampleNames().filter { $0 != "showcase.yaml" }
      .map { try Scenarios.example($0) }
    var outcomes = (refused: 0, composed: 0, ran: 0)
    for round in 0..<rounds {
      let bytes =
        round % 10 == 0
        ? (0..<Int.random(in: 0...200, using: &random)).map { _ in
          UInt8.random(in: 0...127, using: &random)
        } : mutate(small.randomElement(using: &random) ?? [], &random)
      do throws(ScenarioError) {
        let scenario = try Scenario(yaml: bytes)
        guard isCheap(scenario) else { continue }
        let runner = try ScenarioRunner(scenario, folder: Scenarios.examples)
        outcomes.composed += 1
        if round % 4 == 1 {
          let summary = runner.run { _ in }
          #expect(summary.steps == scenario.steps.count)
          outcomes.ran += 1
        }
      } catch {
        #expect(!error.message.isEmpty)
        #expect(!error.message.contains("\n"), "seed \(seed), round \(round): \(error)")
        outcomes.refused += 1
      }
    }
    #expect(outcomes.refused > rounds / 10)
    #expect(outcomes.ran > rounds / 100)
  }

  @Test("many aliases, or keys made of them, cost nothing")
  func aliasesAreRefusedEarly() {
    var text = "a0: &a0 [x, x]\n"
    for level in 1..<40 { text += "a\(level): &a\(level) [*a\(level - 1), *a\(level - 1)]\n" }
    #expect(Scenarios.error(text)?.message.contains("anchors") == true)
    #expect(Scenarios.error(text + "? *a39\n: x\n")?.message.contains("anchors") == true)
  }

  @Test("a machine of the largest size composes without touching its memory")
  func largestMachineComposes() throws {
    let text = """
      scenario: 1
      machine: {guest: none, mmu: ept, maxphyaddr: 52, memory: [{gpa: 0x0, size: 32 TiB}]}
      steps:
        - read: {va: 0xfffff000}
          expect: {ok: true, value: 0x0}
      """
    #expect(try Scenarios.run(text).summary.failed == 0)
  }

  @Test("a map that fills the guest's memory with tables ends with the address that has none")
  func mapIsBounded() throws {
    let text =
      Scenarios.long4
      + "  - map: {va: 0, gpa: 0, size: 16 GiB, permissions: urwx, tables-at: 0xff0000}\n"
    let result = try #require(try Scenarios.run(text).results.first)
    #expect(result.problem == "no memory for a table at GPA 0x1000000")
    #expect(!result.isPassed)
  }
}
