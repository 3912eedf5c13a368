import GuestImage
import Inspection
import Paging
import Report
import X86

/// What `mmu audit` prints.
struct AuditLines {
  let audit: ImageAudit
  let found: [RootCandidate]
  let spaces: [ImageAddressSpace]

  // MARK: JSON

  /// The roots and the findings.
  var jsonHead: [JSONLine] { found.map(json) + audit.findings.map(json) }

  private func json(_ root: RootCandidate) -> JSONLine {
    var line = JSONLine()
    line.add("kind", "root")
    line.add("root", root.root)
    line.add("mode", root.mode.rawValue)
    line.add("mappings", root.mappings)
    line.add("score", root.score)
    line.add("reasons", root.reasons)
    return line
  }

  private func json(_ finding: AuditFinding) -> JSONLine {
    var line = JSONLine()
    line.add("kind", "finding")
    line.add("finding", finding.kind.rawValue)
    line.add("root", finding.root)
    line.add("va", finding.gva)
    line.add("size", hex: finding.size)
    line.add("gpa", finding.gpa)
    line.add("level", finding.level.rawValue)
    if let permissions = finding.permissions { line.add("permissions", permissions.description) }
    if let entry = finding.entry { line.add("entry", hex: entry) }
    line.add("count", finding.count)
    line.add("words", finding.words)
    return line
  }

  static func json(_ rating: PageRating) -> JSONLine {
    var line = JSONLine()
    line.add("kind", "page")
    line.add("gpa", rating.gpa)
    line.add(
      "levels",
      rating.levels.map { rated in
        var object = JSONLine()
        object.add("level", rated.level.rawValue)
        object.add("mappings", rated.mappings)
        return object
      })
    return line
  }

  /// The totals.
  var jsonSummary: JSONLine {
    var counts = JSONLine()
    for kind in AuditFinding.Kind.allCases { counts.add(kind.rawValue, audit.counts[kind] ?? 0) }
    var tables = JSONLine()
    for (level, count) in levels { tables.add("\(level)", count) }
    var summary = JSONLine()
    summary.add("roots", spaces.count)
    summary.add("tables", tables)
    summary.add("pages", audit.pages)
    summary.add("findings", counts)
    summary.add("complete", !audit.isExhausted)
    summary.add("notes", audit.notes)
    var line = JSONLine()
    line.add("summary", summary)
    return line
  }

  private var levels: [(Level, Int)] {
    audit.tablesByLevel.sorted { $0.key > $1.key }.map { ($0.key, $0.value) }
  }

  // MARK: Text

  /// The roots and the findings.
  var textHead: [String] {
    var lines: [String] = []
    if !found.isEmpty {
      lines.append(Terminal.style("Root candidates, best first", .heading))
      for root in found {
        lines.append(
          "  \(root.root)  \(root.mode.rawValue)  score \(root.score)"
            + "  \(root.reasons.joined(separator: "; "))")
      }
    }
    for kind in AuditFinding.Kind.allCases {
      let count = audit.counts[kind] ?? 0
      if count == 0 { continue }
      lines.append(Terminal.style("\(Self.title(kind)): \(count)", .bad))
      let findings = audit.findings.filter { $0.kind == kind }
      lines += findings.map { "  " + text($0) }
      if count > findings.count { lines.append("  … and \(count - findings.count) more") }
    }
    return lines
  }

  private static func title(_ kind: AuditFinding.Kind) -> String {
    kind.rawValue.prefix(1).uppercased() + kind.rawValue.dropFirst()
  }

  private func text(_ finding: AuditFinding) -> String {
    let range = "\(finding.gva), \(finding.size.hex) bytes"
    let root = "root \(finding.root)"
    switch finding.kind {
    case .writableExecutable, .userInKernel:
      return "\(range)  \(finding.permissions.map { "\($0)" } ?? "")  \(root)"
    case .missingTable:
      return "GPA \(finding.gpa), level \(finding.level): hides \(finding.size.hex) bytes from"
        + " \(finding.gva) on, linked \(finding.count) times  \(root)"
    case .reservedBits, .selfMapping, .sharedDifferently:
      return "\(range)  GPA \(finding.gpa): \(finding.words)  \(root)"
    }
  }

  static func text(_ rating: PageRating) -> String {
    let words = rating.levels.map { "level \($0.level) mapping \($0.mappings) pages" }
    return "page \(rating.gpa) could be a table of \(words.joined(separator: ", or "))"
  }

  /// The totals.
  var textSummary: [String] {
    let list = levels.map { "\($0.1) of level \($0.0)" }.joined(separator: ", ")
    let tables = list.isEmpty ? "no tables" : "tables: " + list
    var lines = [
      "\(counted(spaces.count, "root")) looked through: \(tables);"
        + " \(counted(audit.pages, "page"))"
    ]
    if audit.counts.values.allSatisfy({ $0 == 0 }) {
      lines.append(Terminal.style("no findings", .good))
    }
    if audit.isExhausted {
      lines.append("note: the tables map more than can be visited: findings may be missing")
    }
    return lines + audit.notes.map { "note: \($0)" }
  }
}
