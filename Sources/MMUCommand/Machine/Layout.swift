import ArgumentParser
import Paging
import Report
import X86EPT

/// `mmu layout ENCODER`: the table of fields an encoder's entries are made by.
struct Layout: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the field table of an entry format.",
    discussion: """
      With --json one object a field, ascending: {"name","bits","role","forms","meaning","source",\
      "free"}; free says why a software field's bits are not hardware's.

      Examples:
        mmu layout ept
        mmu layout tdx
      """)

  /// The encoders.
  enum Encoder: String, ExpressibleByArgument, CaseIterable {
    case ept, tdx

    /// Its entries' format.
    var format: EntryFormat {
      switch self {
      case .ept: .ept
      case .tdx: .tdx
      }
    }
  }

  @Argument(help: "ept or tdx.")
  var encoder: Encoder

  @Option(help: "MAXPHYADDR, 32 to 52 bits.")
  var maxphyaddr = 52

  @Flag(help: "Print JSON Lines.")
  var json = false

  @Flag(help: "Print a table of Markdown, as docs/spte-layouts.md has it.")
  var markdown = false

  func validate() throws {
    guard (32...52).contains(maxphyaddr) else {
      throw ValidationError("--maxphyaddr is \(maxphyaddr) (32...52)")
    }
  }

  func run() throws {
    let found: SPTELayout?
    do {
      found = try encoder.format.encoder(physicalAddressWidth: maxphyaddr)?.layout
    } catch {
      throw ValidationError("\(error)")
    }
    guard let layout = found else { throw ValidationError("\(encoder.rawValue) has no layout") }
    var output = StandardOutput()
    if markdown {
      for line in Self.markdown(layout) { try output.write(line) }
      return try output.flush()
    }
    if !json {
      try output.write(
        "\(layout.name): not present is \(layout.nonPresent), frozen is \(layout.frozen)")
    }
    for field in layout.fields {
      let forms = Self.names(of: field.forms)
      guard json else {
        let free = field.field.whyFree.isEmpty ? "" : "; \(field.field.whyFree)"
        try output.write(
          "\(Self.padded(field.field.bitsDescription, 6)) \(Self.padded(field.field.name, 22))"
            + " \(Self.padded(forms.joined(separator: "+"), 11)) \(field.field.meaning)"
            + " (\(field.field.source)\(free))")
        continue
      }
      var line = JSONLine()
      line.add("name", field.field.name)
      line.add("bits", field.field.bitsDescription)
      line.add("role", field.role.rawValue)
      line.add("forms", forms)
      line.add("meaning", field.field.meaning)
      line.add("source", field.field.source)
      line.add("free", field.field.whyFree)
      try output.write(line)
    }
    try output.flush()
  }

  private static func markdown(_ layout: SPTELayout) -> [String] {
    [
      "Not present is `\(layout.nonPresent)`, frozen is `\(layout.frozen)`.", "",
      "| bits | field | in | meaning | source |", "|---|---|---|---|---|",
    ]
      + layout.fields.map { one in
        let free = one.field.whyFree.isEmpty ? "" : "; \(one.field.whyFree)"
        return "| \(one.field.bitsDescription) | \(one.field.name) "
          + "| \(names(of: one.forms).joined(separator: ", ")) | \(one.field.meaning) "
          + "| \(one.field.source)\(free) |"
      }
  }

  private static func names(of forms: SPTEField.Forms) -> [String] {
    [("leaf", .leaf), ("table", .table), ("mmio", .mmio)].filter { forms.contains($0.1) }
      .map { (name: String, _: SPTEField.Forms) in name }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(width - text.count, 0))
  }
}
