import Machine
import Paging
public import Report
import X86TDX

extension StepResult {
  /// The result's line of `mmu run --json`.
  public var json: JSONLine {
    var line = JSONLine()
    line.add("step", number)
    line.add("do", step.action.name)
    switch step.action {
    case .access(let access): line.add("va", access.va)
    case .map(let map): line.add("va", map.va)
    case .invalidatePage(let va, _): line.add("va", va)
    case .poke, .setRegister, .repeated, .memslot, .parallel, .replay, .audit,
      .maintenance, .nesting, .privateMemory, .snapshot, .restore, .fetchPages, .systemManagement:
      break
    }
    line.add("ok", isDone)
    if let gpa { line.add("gpa", gpa) }
    if let hpa { line.add("hpa", hpa) }
    addValue(to: &line)
    if let completed { line.add("completed", completed) }
    if let count { line.add("count", count) }
    if let differences { line.add("differences", differences) }
    if let fetchedPages { line.add("fetched", fetchedPages) }
    if let fault {
      var inner = JSONLine()
      inner.add("vector", Int(fault.vector))
      inner.add("error", hex: UInt64(fault.errorCode))
      line.add("fault", inner)
    }
    if let reflected {
      var inner = JSONLine()
      inner.add("cause", reflected.cause.rawValue)
      inner.add("information", hex: reflected.information)
      inner.add("gpa", reflected.gpa)
      if let gva = reflected.gva { inner.add("va", gva) }
      line.add("reflected", inner)
    }
    if let exception {
      var inner = JSONLine()
      inner.add("gpa", hex: exception.gpa)
      inner.add("gva", hex: exception.gva)
      inner.add("qualification", hex: exception.qualification)
      line.add("ve", inner)
    }
    if let statusName { line.add("status", statusName) }
    if !calls.isEmpty { line.add("calls", calls.map(\.inWords)) }
    if callCount > calls.count { line.add("callsLeftOut", callCount - calls.count) }
    if let reason { line.add("reason", reason) }
    if !breaches.isEmpty { line.add("breaches", breaches) }
    if let problem { line.add("problem", problem) }
    line.add("exits", Self.object(exits))
    if let isTLBHit { line.add("tlb", isTLBHit ? "hit" : "miss") }
    if let mmio { line.add("mmio", mmio.device ?? "unclaimed") }
    line.add("events", events.map(\.inWords))
    if eventsLeftOut > 0 { line.add("eventsLeftOut", eventsLeftOut) }
    if !staleTranslations.isEmpty {
      line.add("stale", staleTranslations.map(\.json))
      if staleLeftOut > 0 { line.add("staleLeftOut", staleLeftOut) }
    }
    if !pluginLines.isEmpty { line.add("plugin", pluginLines) }
    if step.expectation != nil || !mismatches.isEmpty { line.add("passed", isPassed) }
    if !mismatches.isEmpty { line.add("mismatches", mismatches) }
    return line
  }

  private func addValue(to line: inout JSONLine) {
    guard isDone, case .access(let access) = step.action, access.kind != .write else { return }
    switch access.form {
    case .number: line.add("value", "0x" + String(value, radix: 16))
    case .text: line.add("text", text)
    case .bytes: line.add("bytes", bytes.hexDigits)
    }
  }

  static func object(_ exits: [(cause: ExitCause, count: Int)]) -> JSONLine {
    var line = JSONLine()
    for (cause, count) in exits { line.add(cause.rawValue, count) }
    return line
  }
}

extension RunSummary {
  /// The last line of `mmu run --json`.
  public var json: JSONLine {
    var inner = JSONLine()
    inner.add("steps", steps)
    inner.add("passed", passed)
    inner.add("failed", failed)
    inner.add("exits", StepResult.object(exits))
    var tlb = JSONLine()
    tlb.add("hits", tlbHits)
    tlb.add("misses", tlbMisses)
    inner.add("tlb", tlb)
    var faults = JSONLine()
    for (vector, count) in self.faults { faults.add(String(vector), count) }
    inner.add("faults", faults)
    inner.add("spteInstalls", spteInstalls)
    inner.add("tablePages", tablePages)
    var mmio = JSONLine()
    mmio.add("cached", mmioCached)
    mmio.add("searched", mmioSearched)
    inner.add("mmio", mmio)
    if let staleTranslations {
      var stale = JSONLine()
      for verdict in StaleTranslation.Verdict.allCases {
        let count = staleTranslations[verdict] ?? 0
        // A machine without one has no hypervisor to wait for.
        if verdict != .hypervisor || count > 0 { stale.add(verdict.rawValue, count) }
      }
      inner.add("stale", stale)
    }
    if let (fetched, remaining) = missingPages {
      var pages = JSONLine()
      pages.add("fetched", fetched)
      pages.add("missing", remaining)
      inner.add("pages", pages)
    }
    if !pluginCounters.isEmpty {
      var counters = JSONLine()
      for (name, count) in pluginCounters { counters.add(name, Int(clamping: count)) }
      inner.add("plugins", counters)
    }
    var line = JSONLine()
    line.add("summary", inner)
    return line
  }
}
