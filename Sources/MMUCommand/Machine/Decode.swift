import ArgumentParser
import Paging
import Report
import X86
import X86Guest

/// `mmu decode FORMAT VALUE`: one entry of any format, field by field.
struct Decode: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Decodes a table entry, field by field.",
    discussion: """
      With --json one object: {"format","value","level","name","kind","fields":[{"name","bits",\
      "value","meaning"}]}; kind is not-present, reserved, table or page, and with ept, npt, shadow and \
      tdx also mmio (then "gfn", "access" and "generation" follow), frozen or guest-not-present.

      Examples:
        mmu decode long4 0x9e2d025 --level 1
        mmu decode ept 0x8000000000000006
        mmu decode shadow 0x7fffc000fee00001 --layout 2011 --maxphyaddr 46
      """)

  @Argument(help: "legacy32, pae, long4, long5, ept, npt, shadow or tdx.")
  var format: EntryFormat

  @Argument(help: "The entry.")
  var value: Number

  @Option(help: "The level of the entry's table, 1 for one of 4 KiB pages.")
  var level = 1

  @Option(help: NamedLayout.help)
  var layout: NamedLayout = .standard

  @Option(help: "MAXPHYADDR, 32 to 52 bits.")
  var maxphyaddr = 52

  @Flag(help: "Print JSON Lines.")
  var json = false

  func validate() throws {
    guard format.levels.contains(level) else {
      throw ValidationError(
        "--level is \(level) (\(format.rawValue): \(format.levels.lowerBound)..."
          + "\(format.levels.upperBound))")
    }
    guard (32...52).contains(maxphyaddr) else {
      throw ValidationError("--maxphyaddr is \(maxphyaddr) (32...52)")
    }
    if format.encoder == nil, layout != .standard {
      throw ValidationError("\(format.rawValue) has no layout '\(layout.rawValue)'")
    }
    if format == .legacy32, value.value >> 32 != 0 {
      throw ValidationError("\(value.value.hex) does not fit an entry of legacy32 (32 bits)")
    }
  }

  func run() throws {
    let entry = value.value
    let level = Level(level)
    var line = JSONLine()
    line.add("format", format.rawValue)
    line.add("value", hex: entry)
    line.add("level", level.rawValue)
    let report: EntryReport
    var text: String
    if let regime = format.regime(physicalAddressWidth: maxphyaddr) {
      report = EntryReport(entry, fields: regime.fields(of: entry, at: level))
      let kind = Self.name(of: regime.kind(of: entry, at: level))
      text = "\(regime.entryName(at: level)) \(entry.hex): \(kind)"
      line.add("name", regime.entryName(at: level))
      line.add("kind", kind)
    } else {
      let encoder = try makeEncoder()
      let told = SPTEReport(SPTE(entry), at: level, encoder)
      report = told.report
      text = "\(told.name) \(entry.hex): \(told.kind)"
      line.add("name", told.name)
      line.add("kind", told.kind)
      if let mmio = told.mmio {
        line.add("gfn", hex: mmio.gfn.rawValue)
        line.add("access", hex: mmio.access)
        line.add("generation", Int(clamping: mmio.generation))
        text += ", GFN \(mmio.gfn), generation \(mmio.generation)"
      }
    }
    line.add("fields", report.json)
    var output = StandardOutput()
    if json {
      try output.write(line)
    } else {
      try output.write(text)
      for field in report.lines { try output.write("  " + field) }
    }
    try output.flush()
  }

  private func makeEncoder() throws -> any SPTEEncoder {
    guard let name = format.encoder else {
      throw ValidationError("\(format.rawValue) has no encoder")
    }
    do {
      return try name.encoder(layout, width: maxphyaddr)
    } catch {
      throw ValidationError("\(error)")
    }
  }

  private static func name(of kind: EntryKind) -> String {
    switch kind {
    case .notPresent: "not-present"
    case .reserved: "reserved"
    case .table: "table"
    case .leaf: "page"
    }
  }
}
