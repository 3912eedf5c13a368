import Foundation
import Paging
import Scenario
import SystemPackage
import Testing

@Suite("Generation-wrap drill")
struct GenerationWrapTests {
  /// The example on another MMU, with the zap at the wrap or without.
  private func run(_ mmu: String, zaps: Bool) throws -> [StepResult] {
    let file = Scenarios.root.appending(path: "Examples/generation-wrap.yaml")
    let text = try String(contentsOf: file, encoding: .utf8)
      .replacing("mmu: ept", with: "mmu: \(mmu)")
      .replacing("zap-at-wrap: true", with: "zap-at-wrap: \(zaps)")
    let runner = try ScenarioRunner(Scenario(yaml: Array(text.utf8)), folder: ".")
    var results: [StepResult] = []
    _ = runner.run { results.append($0) }
    return results
  }

  private func mistaken(_ results: [StepResult]) -> [Int] {
    results.filter { step in
      step.events.contains { if case .mmioMistaken = $0 { true } else { false } }
    }.map(\.number)
  }

  @Test(
    "T2 F2 with the zap at the wrap no MMIO entry is believed", arguments: ["ept", "npt", "shadow"])
  func zapped(mmu: String) throws {
    let results = try run(mmu, zaps: true)
    #expect(mistaken(results) == [])
    #expect(results[10].value == 0 && results[10].mmio == nil)
    #expect(results[11].isDone && results[11].mmio == nil)
  }

  @Test("T2 F2 without it every stale hit is shown", arguments: ["ept", "npt", "shadow"])
  func kept(mmu: String) throws {
    let results = try run(mmu, zaps: false)
    // Both accesses after the wrap are answered by the bus where the guest has memory.
    #expect(mistaken(results) == [11, 12])
    #expect(results[10].value == UInt128(UInt64.max) && results[10].mmio != nil)
    #expect(results[10].lines.contains { $0.contains("STALE: generation") })
    #expect(!results[10].isPassed)
    // The audit sees the entry, too.
    #expect(mmu != "shadow" || !results[12].isDone)
  }
}
