import Paging
public import Report
public import X86

extension Explanation {
  /// The explanation for people, line by line.
  public var text: [String] { text(styled: .plain) }

  /// The explanation for people, line by line, what decides made to stand out.
  public func text(styled style: TextStyler) -> [String] {
    var lines = [
      style(
        "\(situation.words) to \(situation.address), \(situation.registers.mode.rawValue),"
          + " CR3 \(situation.registers.cr3.hex)", .heading)
    ]
    if !entries.isEmpty {
      lines += ["", style("Entries read", .heading)]
      for entry in entries {
        lines.append("  \(entry.place): \(entry.value.hex)")
        lines.append(style("    \(EntryReport(entry.value, fields: entry.fields).words)", .faint))
      }
    }
    lines += ["", style("Rules", .heading)]
    for rule in rules {
      let line = "  \(Self.mark(rule.verdict))  \(rule.name): \(rule.words)"
      lines.append(style(line, Self.style(of: rule.verdict)))
      if rule.verdict == .failed { lines.append("        [\(rule.source)]") }
    }
    lines += [""] + outcomeText.map { style($0, outcomeStyle) }
    if !errorCodeBits.isEmpty {
      for bit in errorCodeBits {
        let name = bit.name.padded(to: 4)
        lines.append("  bit \(bit.bit)  \(name) \(bit.isSet ? 1 : 0)  \(bit.why)")
      }
    }
    return lines + remedyText
  }

  private static func style(of verdict: AccessRule.Verdict) -> TextStyle? {
    switch verdict {
    case .passed: nil
    case .failed: .bad
    case .notApplicable: .faint
    }
  }

  private var outcomeStyle: TextStyle {
    if case .granted = outcome { .good } else { .bad }
  }

  private static func mark(_ verdict: AccessRule.Verdict) -> String {
    switch verdict {
    case .passed: "pass"
    case .failed: "FAIL"
    case .notApplicable: "   -"
    }
  }

  private var outcomeText: [String] {
    switch outcome {
    case .granted(let translation):
      var lines = [
        "The access goes through: GPA \(translation.address), a \(translation.pageSize) page,"
          + " \(translation.rights.permissions)"
      ]
      if let memoryType { lines.append("Memory type: \(memoryType.words)") }
      return lines
    case .refused(let fault) where fault.vector == X86Fault.pageFaultVector:
      return [
        "Page fault (vector 14), error code \(UInt64(fault.errorCode.rawValue).hex)"
          + " (\(fault.errorCode.names)): \(fault.cause), level \(fault.level)"
      ]
    case .refused(let fault):
      let name =
        fault.vector == X86Fault.stackFaultVector ? "Stack fault" : "General-protection fault"
      return ["\(name) (vector \(fault.vector)), error code 0x0: \(fault.cause)"]
    case .tableUnreadable(let entry, let name, let level, let why):
      var lines = [
        "Unknown: the page that holds the \(name) (GPA \(entry)), level \(level), \(why)."
      ]
      if why == "is not in this file" {
        lines.append(
          "That is not the same as not mapped: the machine had this page, the file does not.")
      }
      return lines
    case .contended: return ["Unknown: entries kept changing under the walk"]
    }
  }

  private var remedyText: [String] {
    guard case .refused = outcome else { return [] }
    guard !remedies.isEmpty else {
      return [
        "",
        "No change of the entries read or of the registers is enough: a table or a page is missing.",
      ]
    }
    let lines = remedies.map { remedy in
      let steps = remedy.changes.map { $0.words(in: situation) }.joined(separator: ", and ")
      return "  \(steps) -> GPA \(remedy.leadsTo)"
    }
    return ["", "The smallest change that would let it through (each was tried)"] + lines
  }
}

extension EffectiveMemoryType {
  /// One line: the type, and what made it.
  public var words: String {
    let from = "PAT entry \(index) says \(attribute)"
    switch range {
    case .mtrr(let type):
      return "\(self.type.abbreviation) (\(from), the MTRRs say \(type.abbreviation))"
    case .ept(let type, let ignoresPAT):
      let pat = ignoresPAT ? "PAT is left out" : from
      return "\(self.type.abbreviation) (\(pat), EPT says \(type.abbreviation))"
    }
  }
}
