import Scenario
import SystemPackage
import Testing

@Suite("The host's upkeep in scenarios")
struct MaintenanceTests {
  static func results(_ mmu: String, method: String) throws -> [StepResult] {
    let text = """
      scenario: 1
      machine:
        guest: long4
        mmu: \(mmu)
        maxphyaddr: 40
        memory: [{gpa: 0x0, size: 16 MiB, hugepages: 2 MiB}]
      steps:
        - map: {va: 0x400000, gpa: 0x200000, size: 64 KiB, permissions: -rwx, tables-at: 0x2000}
        - write: {va: 0x400000, value: 1}
        - dirty-log: {start: {gpa: 0x0, method: \(method), split-pages: 16}}
        - dirty-log: {clear: {gpa: 0x0}}
          expect: {count: 0}
        - write: {va: 0x401008, value: 2}
        - write: {va: 0x402008, value: 3}
        - read: {va: 0x403008}
        - dirty-log: {get: {gpa: 0x0}}
        - dirty-log: {clear: {gpa: 0x0}}
        - dirty-log: {get: {gpa: 0x0}}
          expect: {count: 0}
        - write: {va: 0x402010, value: 4}
        - dirty-log: {clear: {gpa: 0x0}}
          expect: {count: 5}
        - dirty-log: {stop: {gpa: 0x0}}
        - age: {gpa: 0x0, size: 16 MiB}
        - age: {gpa: 0x0, size: 16 MiB, clear: false}
          expect: {count: 0}
        - host-unmap: {gpa: 0x202000, size: 4 KiB}
          expect: {count: 1}
        - read: {va: 0x402008}
          expect: {ok: true, value: 3}
        - audit: {}
        - dirty-log: {get: {gpa: 0x5000}}
          expect: {ok: false}
      """
    let runner = try ScenarioRunner(Scenario(yaml: Array(text.utf8)), folder: FilePath("."))
    runner.auditsEveryStep = true
    var results: [StepResult] = []
    _ = runner.run { results.append($0) }
    return results
  }

  @Test(
    "T3 T4 T5 dirty-log, age and host-unmap say what they found",
    arguments: ["ept", "npt"], ["write-protect", "dirty-bit", "pml"])
  func steps(mmu: String, method: String) throws {
    let results = try Self.results(mmu, method: method)
    for result in results {
      #expect(
        result.isPassed, "step \(result.number): \(result.mismatches) \(result.problem ?? "")")
    }
    // Two pages of data; and the guest's four tables, since with A and D every walk writes them.
    #expect(results[7].count == 6)
    #expect(results[8].count == 6)
    #expect(try #require(results[13].count) > 0)
    // The page itself; and what write protection took from the tables comes back fault by fault.
    #expect(results[16].exits.first?.count == (method == "write-protect" ? 5 : 1))
    #expect(results[18].problem == "no memslot begins there")
  }
}
