import AccessCases
import RealCPU
import Report

extension CasesRun {
  /// Compares the model, the CPU and the file.
  func verify(_ cases: AccessCaseFile) throws -> Bool {
    let cpu: RealCPU
    do {
      cpu = try RealCPU()
    } catch {
      throw FileFailure(RealCPU.device, error)
    }
    var output = StandardOutput()
    var agreeing = 0
    var differing = 0
    var leftOut: [String: Int] = [:]
    for (number, access) in cases.cases {
      let found: AccessOutcome
      switch cpu.run(access) {
      case .leftOut(let why):
        leftOut[why, default: 0] += 1
        continue
      case .outcome(let outcome): found = outcome
      }
      let model = access.run()
      if AccessOutcome.agree(found, model), AccessOutcome.agree(model, access.expectation) {
        agreeing += 1
        continue
      }
      differing += 1
      if differing <= Self.mostDifferences {
        try output.write(line(for: access, number, model: model, cpu: found))
      }
    }
    let reasons = leftOut.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
    let leftOutCount = leftOut.values.reduce(0, +)
    if json {
      var why = JSONLine()
      for (reason, count) in reasons { why.add(reason, count) }
      var totals = JSONLine()
      totals.add("agree", agreeing)
      totals.add("differ", differing)
      totals.add("leftOut", leftOutCount)
      totals.add("reasons", why)
      var line = JSONLine()
      line.add("summary", totals)
      try output.write(line.line)
    } else {
      for (reason, count) in reasons { try output.write("left out: \(count) × \(reason)") }
      try output.write("\(agreeing) agree, \(differing) differ, \(leftOutCount) left out")
    }
    try output.flush()
    return differing == 0
  }

  private func line(
    for access: AccessCase, _ number: Int, model: AccessOutcome, cpu: AccessOutcome
  ) -> String {
    guard json else {
      return "\(file):\(number): \(access.id): model \(model); CPU \(cpu);"
        + " file \(access.expectation)"
    }
    var line = JSONLine()
    line.add("id", access.id)
    line.add("line", number)
    line.add("model", model.json)
    line.add("cpu", cpu.json)
    line.add("file", access.expectation.json)
    return line.line
  }
}
