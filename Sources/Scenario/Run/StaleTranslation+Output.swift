import MMU
import Machine
import Paging
import Report

extension StaleTranslation {
  /// The finding for people: what was used, what is so now, what made it so, whose turn it is.
  var inWords: [String] {
    let source = isTLBHit ? "TLB hit" : "TLB filled from shadow tables"
    return [
      "\(source) at GVA \(gva)\(vcpu == 0 ? "" : " on vCPU \(vcpu)") leads to \(old.inWords)",
      "the tables say \(new.map(\.inWords) ?? "nothing is there"): \(difference.inWords)",
      "since \(cause.inWords)", verdict.inWords,
    ]
  }

  /// The finding in `mmu run --json`.
  var json: JSONLine {
    var line = JSONLine()
    line.add("va", gva)
    line.add("vcpu", vcpu)
    line.add("tlb", isTLBHit ? "hit" : "filled")
    line.add("old", old.json)
    if let new { line.add("new", new.json) }
    line.add("difference", difference.names)
    switch cause {
    case .write(let write): line.add("write", write.json)
    case .host(let operation):
      var inner = JSONLine()
      inner.add("did", operation.kind.rawValue)
      if let step = operation.step { inner.add("step", step) }
      line.add("host", inner)
    case .unknown: break
    }
    line.add("verdict", verdict.rawValue)
    return line
  }
}

extension StaleTranslation.Page {
  fileprivate var inWords: String {
    (gpa.map { "GPA \($0)" } ?? "no known GPA") + ", \(permissions), PAT entry \(memoryType)"
  }

  fileprivate var json: JSONLine {
    var line = JSONLine()
    if let gpa { line.add("gpa", gpa) }
    if let hpa { line.add("hpa", hpa) }
    line.add("permissions", "\(permissions)")
    line.add("memoryType", memoryType)
    return line
  }
}

extension StaleTranslation.Difference {
  fileprivate var names: [String] {
    [(Self.frame, "frame"), (.rights, "rights"), (.memoryType, "memory type")]
      .filter { contains($0.0) }.map(\.1)
  }

  fileprivate var inWords: String { names.map { "other " + $0 }.joined(separator: ", ") }
}

extension StaleTranslation.TableWrite {
  fileprivate var json: JSONLine {
    var line = JSONLine()
    line.add("gpa", gpa)
    line.add("before", hex: before)
    line.add("after", hex: after)
    if let vcpu { line.add("vcpu", vcpu) }
    if let step { line.add("step", step) }
    return line
  }
}

extension StaleTranslation.Cause {
  fileprivate var inWords: String {
    switch self {
    case .write(let write):
      (write.vcpu.map { "vCPU \($0)" } ?? "somebody outside the guest")
        + " wrote \(write.after.hex) over \(write.before.hex) at GPA \(write.gpa)"
        + (write.step.map { " in step \($0)" } ?? "")
    case .host(let operation):
      operation.kind.inWords + (operation.step.map { " in step \($0)" } ?? "")
    case .unknown: "a change that nobody noted"
    }
  }
}

extension StaleTranslation.HostOperation.Kind {
  fileprivate var inWords: String {
    switch self {
    case .unmap: "the host took the memory away"
    case .memslots: "the memslots changed"
    case .dirtyLog: "writes to the page are to be recorded"
    case .zap: "the host dropped tables"
    case .restore: "the machine was put back to what it was"
    case .conversion: "the page was converted"
    case .secureRemoval: "the TDX module blocked or removed the page"
    case .recycling: "the pool of table pages was short"
    case .flooding: "a shadowed table was given up"
    case .tableSync: "shadow tables followed the guest's"
    case .writeTracking: "writes to the page are tracked"
    case .nxRecovery: "a large page without X came back"
    case .collapse: "small pages became a large one"
    case .ageing: "the use of the page is looked for"
    }
  }
}

extension StaleTranslation.Verdict {
  fileprivate var inWords: String {
    switch self {
    case .guest: "allowed: the guest has not invalidated the address on this vCPU since"
    case .mmu: "BUG: the MMU had to flush it"
    case .hypervisor:
      "allowed: the hypervisor inside the guest has not invalidated its tables on this vCPU since"
    }
  }
}

extension StepResult {
  /// Which stale translations the step used; `nil` where nobody looked.
  var stale: Expectation.Stale? {
    guard isLookedAtForStale else { return nil }
    if staleTranslations.isEmpty { return Expectation.Stale.none }
    let verdicts = Set(staleTranslations.map(\.verdict))
    if verdicts.contains(.mmu) { return .mmu }
    return verdicts.contains(.hypervisor) ? .hypervisor : .guest
  }

  /// A flush that the MMU forgot, in words, or `nil`.
  var forgottenFlush: String? {
    let forgotten = staleTranslations.first { $0.verdict == .mmu }
    return forgotten.map { "stale: " + $0.inWords.joined(separator: "; ") }
  }
}
