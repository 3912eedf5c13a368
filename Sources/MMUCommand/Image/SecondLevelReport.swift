import GuestImage
import Paging
import Report
import X86EPT
import X86NPT

/// What the second level says of one address of an inner guest.
struct SecondLevelReport {
  let answer: Result<InnerPage, InnerFailure>

  /// Whether the page can be used.
  var isReached: Bool { if case .success = answer { true } else { false } }

  /// The name of the exit, such as `ept-violation`; `nil` where there is none, or nobody knows.
  var exit: String? {
    if case .failure(let failure) = answer { failure.exit?.cause.rawValue } else { nil }
  }

  /// The object of the key `secondLevel`.
  var json: JSONLine {
    var line = JSONLine()
    switch answer {
    case .success(let page):
      line.add("ok", true)
      line.add("hpa", page.address)
      line.add("pageSize", hex: page.pageSize.bytes)
      line.add("level", page.level.rawValue)
      line.add("permissions", page.permissions.description)
    case .failure(let failure):
      if failure.exit == nil { line.addNull("ok") } else { line.add("ok", false) }
      switch failure {
      case .ept(let exit):
        line.add("exit", exit.cause.rawValue)
        line.add("gpa", exit.gpa)
        switch exit {
        case .violation(let violation), .virtualizationException(let violation):
          line.add("level", violation.level.rawValue)
          line.add("qualification", hex: violation.qualification.rawValue)
        case .misconfiguration(let misconfiguration):
          line.add("level", misconfiguration.level.rawValue)
          line.add("entry", hex: misconfiguration.entry)
        }
      case .npt(let fault):
        line.add("exit", fault.cause.rawValue)
        line.add("gpa", fault.gpa)
        line.add("exitinfo1", hex: fault.info.rawValue)
      case .unreadable(let hole, _, let level):
        line.add("reason", "table unreadable")
        line.add("hpa", HPA(hole.gpa.rawValue))
        line.add("level", level.rawValue)
      case .contended: line.add("reason", "contended")
      }
      line.add("words", "the page \(failure)")
    }
    return line
  }

  /// Words that follow the guest's own answer.
  var text: String {
    switch answer {
    case .success(let page):
      "HPA \(page.address), a \(page.pageSize) page \(page.permissions.description.dropFirst())"
    case .failure(let failure): "the page \(failure)"
    }
  }
}
