import Foundation
import Paging
import Scenario
import SharedData
import SystemPackage
import Testing

@Suite("The showcase behind other second levels")
struct NestedPagingTests {
  /// The examples of the package.
  static let examples = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Examples").path

  struct Outcome: Equatable {
    var bytes: [[UInt8]] = []
    var addresses: [GPA?] = []
    var faults: [UInt64?] = []
    var causes: Set<ExitCause> = []
    var failed = 0
  }

  static func run(_ mmu: String) throws -> Outcome {
    let file = try SharedData.bytes(examples + "/showcase.yaml")
    // What is expected of the exits names EPT's causes; what the guest sees must not depend on them.
    let text = String(decoding: file, as: UTF8.self)
      .replacing("mmu: ept", with: "mmu: \(mmu)")
      .replacing("{ept-misconfiguration: 1}", with: "{nested-page-fault: 1}")
    let source = mmu == "ept" ? file : Array(text.utf8)
    let runner = try ScenarioRunner(Scenario(yaml: source), folder: FilePath(examples))
    runner.auditsEveryStep = true
    var outcome = Outcome()
    let summary = runner.run { result in
      outcome.bytes.append(result.bytes)
      outcome.addresses.append(result.gpa)
      outcome.faults.append(result.fault.map { UInt64($0.vector) << 32 | UInt64($0.errorCode) })
      outcome.causes.formUnion(result.exits.map(\.cause))
    }
    outcome.failed = summary.failed
    return outcome
  }

  @Test("E12 the guest sees the same behind NPT as behind EPT; only the exits are named otherwise")
  func sameGuestResults() throws {
    let ept = try Self.run("ept")
    var npt = try Self.run("npt")
    #expect(ept.failed == 0 && npt.failed == 0)
    #expect(ept.causes == [.eptViolation, .eptMisconfiguration])
    #expect(npt.causes == [.nestedPageFault])
    npt.causes = ept.causes
    #expect(npt == ept)
    #expect(ept.bytes.first == Array("Linux version 6.1.0-56-amd64".utf8))
  }
}
