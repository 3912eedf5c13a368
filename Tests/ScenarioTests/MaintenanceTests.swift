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
          expect: {count: 1}
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
    // The two data pages, and those of the guest's tables whose A and D bits were set.
    let found = try #require(results[7].count)
    #expect((3...4).contains(found))
    #expect(results[8].count == found)
    #expect(try #require(results[13].count) > 0)
    #expect(results[16].exits.count == 1 && results[16].exits.first?.count == 1)
    #expect(results[18].problem == "no memslot begins there")
  }
}
