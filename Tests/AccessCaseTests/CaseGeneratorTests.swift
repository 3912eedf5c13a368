import AccessCases
import Foundation
import Report
import Testing
import X86

@Suite("Generated access cases")
struct CaseGeneratorTests {
  static let modes: [X86Mode] = [.legacy32, .pae, .long4, .long5]

  private func cases(_ mode: X86Mode, seed: UInt64, count: Int) -> [AccessCase] {
    var generator = CaseGenerator(mode: mode, seed: seed)
    return (0..<count).map { _ in generator.next() }
  }

  @Test("a seed repeats its cases, another has others", arguments: modes)
  func seeds(mode: X86Mode) {
    #expect(cases(mode, seed: 7, count: 50) == cases(mode, seed: 7, count: 50))
    #expect(cases(mode, seed: 7, count: 50) != cases(mode, seed: 8, count: 50))
  }

  @Test("what is written is read back as it was, and comes out as it says", arguments: modes)
  func roundTrip(mode: X86Mode) throws {
    let cases = cases(mode, seed: 3, count: 300)
    let text = cases.map(\.json.line).joined(separator: "\n")
    let file = try AccessCaseFile(Array(text.utf8))
    #expect(file.cases.map(\.access) == cases)
    #expect(file.run { _ in } == (300, 0))
  }

  @Test("a processor that lacks something is read back as it was")
  func processors() throws {
    var access = cases(.long4, seed: 1, count: 1)[0]
    access.features.vendor = .amd
    access.features.gigabytePages = false
    access.features.shadowStacks = false
    let file = try AccessCaseFile(Array(access.json.line.utf8))
    #expect(file.cases.first?.access == access)
  }

  @Test("every outcome that the mode can have comes up", arguments: modes)
  func outcomes(mode: X86Mode) {
    var seen: Set<String> = []
    for access in cases(mode, seed: 11, count: 3000) {
      switch access.expectation.result {
      case .granted(_, let size): seen.insert("page \(size)")
      case .refused(let vector, let code): seen.insert("\(vector) \(code)")
      case .contended: seen.insert("contended")
      }
    }
    var wanted: Set<String> = ["page 4096", "14 0", "14 2", "14 4", "14 6", "14 3", "14 5", "14 7"]
    wanted.formUnion(["14 16", "14 17", "14 20", "14 21", "14 9", "14 13"])
    switch mode {
    case .none: break
    case .legacy32: wanted.insert("page \(4 << 20)")
    case .pae: wanted.insert("page \(2 << 20)")
    case .long4, .long5:
      wanted.formUnion(["page \(2 << 20)", "page \(1 << 30)", "13 0", "14 37"])
    }
    #expect(wanted.subtracting(seen) == [])
    #expect(!seen.contains("contended"))
  }
}
