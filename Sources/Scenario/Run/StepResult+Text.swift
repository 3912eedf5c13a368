import Machine
import Paging
import Report

extension StepResult {
  /// The result for people: what was done, the guest's walk, each exit and what it led to, the
  /// outcome.
  public var lines: [String] {
    var lines = ["step \(number)  \(headline)"]
    lines += walk.map { entry in
      let role: String =
        switch entry.step.kind {
        case .table: "table"
        case .leaf: "page"
        case .notPresent: "not present"
        case .reserved: "reserved bits"
        }
      return Self.row(
        entry.name,
        "at GPA \(entry.step.entryAddress.hex) holds \(entry.step.entry.hex): \(role)"
          + entry.changeInWords)
    }
    lines += events.flatMap { event in
      guard case .staleTranslation(let stale) = event else {
        return [Self.row(event.label, event.inWords)]
      }
      return stale.inWords.enumerated().map { Self.row($0 == 0 ? event.label : "", $1) }
    }
    if eventsLeftOut > 0 { lines.append(Self.row("…", "\(eventsLeftOut) events more")) }
    lines += calls.map { Self.row("guest", $0.inWords) }
    if callCount > calls.count {
      lines.append(Self.row("…", "\(callCount - calls.count) calls of the guest more"))
    }
    lines += pluginLines.map { Self.row("plugin", $0) }
    if let fetchedPages {
      lines.append(Self.row("pages", "\(fetchedPages) came from the image"))
    }
    if let isTLBHit, isTLBHit { lines.append(Self.row("TLB", "hit, no walk")) }
    if let mmio {
      lines.append(
        Self.row("MMIO", "the bus answers: \(mmio.device ?? "nobody claims the address")"))
    }
    lines.append(Self.row("result", outcome))
    for mismatch in mismatches { lines.append(Self.row("FAILED", mismatch)) }
    return lines
  }

  private static func row(_ label: String, _ words: String) -> String {
    "  " + label + String(repeating: " ", count: max(1, 9 - label.count)) + words
  }

  /// What the step does, in words.
  public var headline: String {
    switch step.action {
    case .access(let access):
      let who = access.isUser ? "user" : access.isImplicit ? "implicit supervisor" : "supervisor"
      let value = access.kind == .write ? " of 0x\(String(access.value, radix: 16))" : ""
      let vcpu = access.vcpu == 0 ? "" : ", vCPU \(access.vcpu)"
      return "\(access.kind)\(value), \(access.size) bytes at GVA \(access.va), \(who)\(vcpu)"
    case .map(let map):
      return "map GVA \(map.va) to GPA \(map.gpa), \(map.byteCount.hex) bytes in pages of"
        + " \(map.pageSize), \(map.permissions)"
    case .poke(let poke): return "poke \(poke.bytes.count) bytes at GPA \(poke.gpa)"
    case .invalidatePage(let va, let vcpu): return "INVLPG of GVA \(va) on vCPU \(vcpu)"
    case .setRegister(let name, let value, let vcpu):
      return "set \(name.rawValue) to \(value.hex) on vCPU \(vcpu)"
    case .repeated(let repeated):
      return "repeat \(repeated.count) × \(repeated.access.kind) in GVA"
        + " \(repeated.range.lowerBound.hex)…\(repeated.range.upperBound.hex)"
    case .memslot(.add(let region)):
      return "memslot: add \(region.byteCount.hex) bytes at GPA \(region.gpa)"
    case .memslot(.remove(let gpa)): return "memslot: remove the one at GPA \(gpa)"
    case .memslot(.move(let gpa, let place)): return "memslot: move GPA \(gpa) to GPA \(place)"
    case .memslot(.flags(let gpa, let isReadOnly)):
      return "memslot: make the one at GPA \(gpa) \(isReadOnly ? "read-only" : "writable")"
    case .parallel(let parallel):
      let lanes = parallel.lanes.map { "vCPU \($0.vcpu) \($0.actions.count) steps" }
      return "in parallel: " + lanes.joined(separator: ", ")
    case .replay(let replay): return "replay \(replay.path)"
    case .audit: return "audit of the tables"
    case .maintenance(let action): return action.inWords
    case .nesting(let action): return action.inWords
    case .systemManagement(let enters, let vcpu):
      return enters
        ? "system-management interrupt of vCPU \(vcpu)"
        : "vCPU \(vcpu) resumes from system management"
    case .fetchPages(let count): return "\(count) pages that nobody has asked for yet"
    case .privateMemory(let action): return action.inWords
    case .snapshot(let name): return "snapshot '\(name)' of the machine"
    case .restore(let name): return "restore the machine to snapshot '\(name)'"
    }
  }

  /// What the last access that did not go through ended with, or nothing.
  private var lastTrouble: String {
    if let problem { return "; ended by: \(problem)" }
    if let reflected { return "; last exit to the hypervisor inside the guest: \(reflected)" }
    guard let fault else { return "" }
    return "; last exception: vector \(fault.vector), error code \(UInt64(fault.errorCode).hex)"
  }

  private var outcome: String {
    if let completed, case .repeated(let repeated) = step.action {
      let counts = exits.map { "\($0.count) × \($0.cause.rawValue)" }.joined(separator: ", ")
      return "\(completed) of \(repeated.count) went through; exits: "
        + (counts.isEmpty ? "none" : counts) + lastTrouble
    }
    if let problem { return problem }
    if let differences {
      return "\(completed ?? 0) accesses went through, \(differences) ended otherwise than recorded"
    }
    if case .parallel(let parallel) = step.action {
      let total = parallel.lanes.reduce(0) { $0 + $1.actions.count }
      return "\(completed ?? 0) of \(total) steps done"
    }
    if let fault {
      return
        "exception in the guest: vector \(fault.vector), error code \(UInt64(fault.errorCode).hex)"
        + (reason.map { " (\($0))" } ?? "") + (exception.map { "; " + $0.inWords } ?? "")
    }
    if let reflected { return "exit to the hypervisor inside the guest: \(reflected)" }
    if let answer, isDone {
      return "\(answer.status)"
        + (answer.mmio == nil ? "" : ", 0x\(String(answer.value, radix: 16))")
    }
    guard isDone, case .access(let access) = step.action else {
      return isDone ? count.map { "done, \($0) found" } ?? "done" : "not done"
    }
    var place = gpa.map { " at GPA \($0)" } ?? ""
    if let hpa { place += ", HPA \(hpa)" }
    switch (access.kind, access.form) {
    case (.write, _): return "written\(place)"
    case (_, .number): return "0x\(String(value, radix: 16))\(place)"
    case (_, .text): return "\"\(text)\"\(place)"
    case (_, .bytes): return "\(bytes.hexDigits)\(place)"
    }
  }
}

extension WalkedEntry {
  /// What the step did to the entry, or nothing.
  var changeInWords: String {
    if after == step.entry { return "" }
    let bits = [(0x20 as UInt64, "A"), (0x40, "D")].filter { ~step.entry & after & $0.0 != 0 }
    let names = bits.map(\.1).joined(separator: " and ")
    return "; now \(after.hex)" + (names.isEmpty ? "" : ", \(names) set")
  }
}

extension VirtualizationExceptionArea {
  /// What the guest is told, in words.
  var inWords: String {
    "#VE information: GPA \(GPA(gpa)), GVA \(GVA(gva)), qualification \(qualification.hex)"
  }
}

extension MMUEvent {
  /// The word that stands before the event in a report.
  var label: String {
    switch self {
    case .exit: "exit"
    case .verdict: "policy"
    case .staleTranslation: "STALE"
    default: "MMU"
    }
  }

  /// The event, in words.
  var inWords: String {
    switch self {
    case .exit(_, let words): words
    case .memslotSearch(let gfn, true): "memslot search: GFN \(gfn) is backed"
    case .memslotSearch(let gfn, false): "memslot search: no slot holds GFN \(gfn)"
    case .tableLinked(let level, _, let spte): "table linked by an entry of level \(level): \(spte)"
    case .leafInstalled(let level, let gfn, _, let new):
      "SPTE for GFN \(gfn) at level \(level): \(new)"
    case .mmioInstalled(let gfn, let spte, let generation):
      "MMIO SPTE for GFN \(gfn), generation \(generation): \(spte)"
    case .mmioRemembered(let gfn):
      "GFN \(gfn) is MMIO, as at the vCPU's last MMIO access: no memslot search"
    case .mmioHit(let gfn, let spte, _):
      "MMIO SPTE \(spte) says GFN \(gfn) is MMIO: no memslot search"
    case .mmioStale(let gfn, let old, let now):
      "MMIO SPTE of GFN \(gfn) is stale: generation \(old), now \(now)"
    case .mmioMistaken(let gfn, let generation):
      "STALE: generation \(generation) has come round again, GFN \(gfn) has a memslot by now"
    case .verdict(let verdict, let gpa): "for GPA \(gpa): \(verdict.inWords)"
    case .raceLost(let level, let gfn): "another vCPU changed GFN \(gfn) at level \(level) first"
    case .tableShadowed(let level, let gfn):
      "guest table of level \(level) in GFN \(gfn) is shadowed and write-tracked"
    case .pageZapped(let level, let gfn, let reason):
      "shadow page of level \(level) for GFN \(gfn) zapped: \(reason.rawValue)"
    case .tableUnsynced(let gfn): "guest table in GFN \(gfn) may go out of step"
    case .tableSynced(let gfn, let changed):
      "guest table in GFN \(gfn) in step again, \(changed) entries changed"
    case .tableWritten(let gpa, let count): "\(count) bytes of a guest table written at \(gpa)"
    case .remoteFlush: "all vCPUs empty their TLBs"
    case .rootsInvalidated: "all roots are invalid"
    case .staleTranslation(let stale): stale.inWords.joined(separator: "; ")
    }
  }
}

extension Action {
  /// How many events a report shows: few where there are many alike, none where their order is chance.
  var eventsShown: Int {
    switch self {
    case .parallel: 0
    case .repeated, .replay: 8
    case .access, .map, .poke, .invalidatePage, .setRegister, .memslot, .audit,
      .maintenance, .nesting, .privateMemory, .snapshot, .restore, .fetchPages, .systemManagement:
      64
    }
  }
}

extension FaultVerdict {
  /// The verdict, in words.
  var inWords: String {
    switch self {
    case .proceed: "go on"
    case .emulate: "emulate, as MMIO"
    case .inject(let vector, let errorCode):
      "inject vector \(vector), error code \(UInt64(errorCode).hex)"
    case .deny: "deny"
    case .exit: "stop the machine"
    }
  }
}

extension RunSummary {
  /// The summary for people.
  public var lines: [String] {
    let counts = exits.map { "\($0.count) × \($0.cause.rawValue)" }.joined(separator: ", ")
    let exceptions = faults.map { "\($0.count) × vector \($0.vector)" }.joined(separator: ", ")
    return [
      "totals", "  exits        \(counts.isEmpty ? "none" : counts)",
      "  TLB          \(tlbHits) hits, \(tlbMisses) misses",
      "  exceptions   \(exceptions.isEmpty ? "none" : exceptions)",
      "  SPTEs        \(spteInstalls) installed, \(tablePages) table pages in use",
      "  MMIO         \(mmioCached) cached, \(mmioSearched) searched",
    ]
      + (staleTranslations.map { counts in
        [
          "  stale        \(counts[.guest] ?? 0) that the guest has not flushed,"
            + (counts[.hypervisor].map { " \($0) that its hypervisor has not," } ?? "")
            + " \(counts[.mmu] ?? 0) that the MMU forgot"
        ]
      } ?? [])
      + (missingPages.map { ["  pages        \($0.fetched) came, \($0.remaining) missing"] } ?? [])
      + pluginCounters.map { "  plugin       \($0.name): \($0.count)" } + [
        "  steps        \(passed) passed, \(failed) failed"
      ]
  }
}
