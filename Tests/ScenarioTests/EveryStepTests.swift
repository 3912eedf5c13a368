import Foundation
import Paging
import Report
import Scenario
import Testing

@Suite("Audit after every step")
struct EveryStepTests {
  /// Those that run without image and plugin.
  private static let names =
    ((try? Scenarios.exampleNames()) ?? []).filter { name in
      guard let scenario = try? Scenario(yaml: Scenarios.example(name)) else { return false }
      return scenario.plugins.isEmpty
        && !scenario.machine.memory.contains {
          if case .image = $0.content { true } else { false }
        }
    }

  @Test("F18 T9 every example leaves sound tables after every step, on every MMU", arguments: names)
  func examples(name: String) throws {
    let original = try Scenario(yaml: Scenarios.example(name))
    var runs = 0
    for mmu in MachineSpec.MMUKind.allCases {
      var scenario = original
      scenario.machine.mmu = mmu
      // A machine that this MMU cannot be is none to look at.
      guard let runner = try? ScenarioRunner(scenario, folder: Scenarios.examples) else { continue }
      runner.auditsEveryStep = true
      _ = runner.run { result in
        // What exits and events are expected holds for the file's own MMU.
        let breaches = result.mismatches.filter { $0.hasPrefix("audit:") }
        #expect(breaches == [], "\(mmu.rawValue), step \(result.number)")
        if mmu == original.machine.mmu {
          #expect(result.isPassed, "step \(result.number): \(result.mismatches)")
        }
      }
      runs += 1
    }
    #expect(runs > 0)
  }

  @Test(
    "W16 every example, on every MMU, uses no translation that the MMU should have dropped",
    arguments: names)
  func noForgottenFlush(name: String) throws {
    let original = try Scenario(yaml: Scenarios.example(name))
    for mmu in MachineSpec.MMUKind.allCases {
      var scenario = original
      scenario.machine.mmu = mmu
      scenario.machine.findsStaleTranslations = true
      guard let runner = try? ScenarioRunner(scenario, folder: Scenarios.examples) else { continue }
      let summary = runner.run { result in
        let forgotten = result.staleTranslations.filter { $0.verdict == .mmu }
        #expect(forgotten == [], "\(mmu.rawValue), step \(result.number)")
        if mmu == original.machine.mmu {
          #expect(result.isPassed, "step \(result.number): \(result.mismatches)")
        }
      }
      #expect(summary.staleTranslations?[.mmu] == nil, "\(mmu.rawValue)")
    }
  }

  @Test("F18 a breach fails the step after which it is found, where it is asked for")
  func breach() throws {
    // The drill believes entries of another generation: what the audit is for.
    let text = String(decoding: try Scenarios.example("generation-wrap.yaml"), as: UTF8.self)
      .replacing("mmu: ept", with: "mmu: shadow")
      .replacing("zap-at-wrap: true", with: "zap-at-wrap: false")
    for audits in [false, true] {
      let runner = try ScenarioRunner(Scenarios.read(text), folder: Scenarios.examples)
      runner.auditsEveryStep = audits
      var breached: [Int] = []
      _ = runner.run { result in
        if result.mismatches.contains(where: { $0.hasPrefix("audit:") }) {
          breached.append(result.number)
        }
      }
      #expect(breached.isEmpty == !audits)
    }
  }

  @Test("walks are recorded where somebody prints them, and change nothing else")
  func walks() throws {
    let text = Scenarios.mapped + "  - read: {va: 0x400000, user: true}\n"
    let results = try [true, false].map { records in
      let runner = try ScenarioRunner(Scenarios.read(text), folder: Scenarios.examples)
      runner.recordsWalks = records
      var results: [StepResult] = []
      _ = runner.run { results.append($0) }
      return results
    }
    #expect(results[0].last?.walk.count == 4)
    #expect(results[1].last?.walk == [])
    #expect(results[0].map(\.json.line) == results[1].map(\.json.line))
  }
}
