import Machine
import Paging
import Report
import X86TDX

extension Expectation {
  /// What does not hold of a result, in words.
  func mismatches(_ result: StepResult) -> [String] {
    var found: [String] = []
    func expect(_ holds: Bool, _ name: String, _ expected: String, _ actual: String) {
      if !holds { found.append("\(name): expected \(expected), got \(actual)") }
    }
    if let ok { expect(result.isDone == ok, "ok", "\(ok)", result.outcomeInWords) }
    if let value {
      let actual = result.isDone ? Self.hex(result.value) : result.outcomeInWords
      expect(result.isDone && result.value == value, "value", Self.hex(value), actual)
    }
    if let text {
      let actual = result.isDone ? "\"\(result.text)\"" : result.outcomeInWords
      expect(result.isDone && result.text == text, "text", "\"\(text)\"", actual)
    }
    if let bytes {
      let actual = result.isDone ? result.bytes.hexDigits : result.outcomeInWords
      expect(result.isDone && result.bytes == bytes, "bytes", bytes.hexDigits, actual)
    }
    if let fault {
      let holds = result.fault.map {
        UInt64($0.vector) == fault.vector && UInt64($0.errorCode) == fault.error
      }
      expect(
        holds ?? false, "fault", "vector \(fault.vector) error 0x\(String(fault.error, radix: 16))",
        result.outcomeInWords)
    }
    if let reflected {
      let holds = result.reflected.map { exit in
        exit.cause == reflected.cause
          && reflected.information ?? exit.information == exit.information
          && reflected.gpa ?? exit.gpa.rawValue == exit.gpa.rawValue
          && (reflected.va == nil || reflected.va == exit.gva?.rawValue)
      }
      expect(
        holds ?? false, "reflected",
        reflected.cause.rawValue
          + (reflected.information.map { " information 0x\(String($0, radix: 16))" } ?? ""),
        result.outcomeInWords)
    }
    if let exception {
      let actual = result.exception
      let parts = [
        ("gpa", exception.gpa, actual?.gpa), ("gva", exception.gva, actual?.gva),
        ("qualification", exception.qualification, actual?.qualification),
      ]
      expect(actual != nil, "ve", "a #VE", result.outcomeInWords)
      for (name, expected, actual) in parts {
        guard let expected, let actual else { continue }
        expect(expected == actual, "ve \(name)", expected.hex, actual.hex)
      }
    }
    if let status {
      expect(
        result.statusName == status.name, "status", status.name,
        result.statusName ?? result.outcomeInWords)
    }
    if let gpa {
      expect(result.gpa == gpa, "gpa", "\(gpa)", result.gpa.map(\.description) ?? "none")
    }
    if let exits {
      let actual = Dictionary(uniqueKeysWithValues: result.exits.map { ($0.cause, $0.count) })
      expect(
        actual == exits.filter { $0.value > 0 }, "exits", Self.words(exits), Self.words(actual))
    }
    if let exitsAtMost {
      let total = result.exits.reduce(0) { $0 + $1.count }
      expect(total <= exitsAtMost, "exits", "at most \(exitsAtMost)", "\(total)")
    }
    if let stale {
      expect(result.stale == stale, "stale", stale.rawValue, result.stale?.rawValue ?? "not looked")
    }
    if let tlbHit {
      let actual = result.isTLBHit.map { $0 ? "hit" : "miss" } ?? "none"
      expect(result.isTLBHit == tlbHit, "tlb", tlbHit ? "hit" : "miss", actual)
    }
    if let count {
      expect(result.count == count, "count", "\(count)", result.count.map { "\($0)" } ?? "none")
    }
    if let fetched {
      expect(
        (result.fetchedPages ?? 0) == fetched, "fetched", "\(fetched)",
        "\(result.fetchedPages ?? 0)")
    }
    if let isMMIO {
      expect((result.mmio != nil) == isMMIO, "mmio", "\(isMMIO)", "\(result.mmio != nil)")
    }
    if !anyOf.isEmpty {
      let reasons = anyOf.map { $0.mismatches(result).joined(separator: ", ") }
      if reasons.allSatisfy({ !$0.isEmpty }) {
        found.append("none of \(anyOf.count) holds: " + reasons.joined(separator: "; or "))
      }
    }
    return found
  }

  private static func hex(_ value: UInt128) -> String { "0x" + String(value, radix: 16) }

  private static func words(_ exits: [ExitCause: Int]) -> String {
    let parts = ExitCause.allCases.compactMap { cause in
      exits[cause].map { "\(cause.rawValue) \($0)" }
    }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }
}

extension StepResult {
  /// What the TDX module answered, or the host, by its name.
  var statusName: String? { status?.description ?? answer?.status.description }

  /// How the step ended, in a few words.
  var outcomeInWords: String {
    if let fault {
      return "vector \(fault.vector) error 0x\(String(fault.errorCode, radix: 16))"
    }
    if let problem { return problem }
    if let reflected { return "\(reflected)" }
    return isDone ? "ok" : "not done"
  }
}

extension [UInt8] {
  /// Two hex digits a byte.
  var hexDigits: String {
    map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}
