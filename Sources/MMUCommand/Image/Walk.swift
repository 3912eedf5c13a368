import ArgumentParser
import GuestImage
import Notation
import Paging
import Report
import X86
import X86Guest

/// `mmu walk`.
struct Walk: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the walk of one address, entry by entry, each decoded.",
    discussion: """
      With --json one object an entry, root first: {"level","name","gpa","value","fields"}, each \
      field {"name","bits","value","meaning"}; then the object that translate prints. In PAE the \
      first is the PDPTE register, with the GPA that it was loaded from.

      Examples:
        mmu walk guest.core 0xffffffff81000000
      """)

  @OptionGroup var options: ImageOptions
  @OptionGroup var access: AccessOptions

  @Argument(help: "The virtual address.")
  var address: Number

  @Flag(help: "Print JSON Lines: one object an entry, then the translation.")
  var json = false

  func run() throws {
    let space = try options.openAddressSpace(access.adjust)
    let gva = GVA(address.value)
    let steps: [WalkStep]
    let outcome: TranslationLine.Outcome
    if let judged = access.judged {
      var strategy = Recording(Judge())
      outcome = space.translate(gva, for: judged, &strategy)
      steps = strategy.steps
    } else {
      var strategy = Recording(Probe())
      outcome = space.translate(gva, &strategy)
      steps = strategy.steps
    }
    var output = StandardOutput()
    if !json {
      try output.write(
        Terminal.style(
          "\(gva) in \(space.registers.mode.rawValue), CR3 \(space.registers.cr3.hex)", .heading))
    }
    if let regime = space.regime {
      if let pointer = space.directoryPointer(for: gva) {
        try output.write(
          line(
            for: pointer.value, at: pointer.gpa, level: .directoryPointer, regime,
            isRegister: true))
      }
      for step in steps {
        try output.write(
          line(for: step.entry, at: GPA(step.entryAddress), level: step.level, regime))
      }
    }
    let result = TranslationLine(gva, in: space, access.judged, outcome: outcome)
    try output.write(
      json ? result.json.line : Terminal.style(result.text, result.isMapped ? .good : .bad))
    try output.flush()
  }

  private func line(
    for entry: UInt64, at gpa: GPA, level: Level, _ regime: X86Regime, isRegister: Bool = false
  ) -> String {
    let name = regime.entryName(at: level)
    let report = EntryReport(entry, fields: regime.fields(of: entry, at: level))
    guard json else {
      let place = isRegister ? "register, loaded from GPA \(gpa)" : "at GPA \(gpa)"
      return "level \(level)  \(name) \(place) is \(entry.hex)\n"
        + Terminal.style("    \(report.words)", .faint)
    }
    var line = JSONLine()
    line.add("level", level.rawValue)
    line.add("name", name)
    line.add("gpa", gpa)
    line.add("value", hex: entry)
    line.add("fields", report.json)
    return line.line
  }
}
