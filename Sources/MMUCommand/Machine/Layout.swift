import ArgumentParser
import Paging
import Report

/// `mmu layout [ENCODER]`: the table of fields an encoder's entries are made by; all layouts that can be
/// chosen by name.
struct Layout: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the field table of an entry format, or all named layouts.",
    discussion: """
      With --json one object a field, ascending: {"name","bits","role","forms","meaning","source",\
      "free"}; free says why a software field's bits are not hardware's. Without an encoder one object \
      a layout: {"encoder","layout","nonPresent","frozen"} with "noTrap", "encryption" and the MMIO \
      mask's "value", "mask", "access" where the layout has them, or "refused".

      Examples:
        mmu layout
        mmu layout ept
        mmu layout shadow --layout 2008 --maxphyaddr 46
      """)

  @Argument(help: "ept, npt, shadow or tdx; without one all layouts are listed.")
  var encoder: EncoderName?

  @Option(help: NamedLayout.help)
  var layout: NamedLayout = .standard

  @Option(help: "MAXPHYADDR, 32 to 52 bits (default: 52, in the list 46).")
  var maxphyaddr: Int?

  @Flag(help: "Print JSON Lines.")
  var json = false

  @Flag(help: "Print a table of Markdown, as docs/spte-layouts.md has it.")
  var markdown = false

  func validate() throws {
    if let maxphyaddr, !(32...52).contains(maxphyaddr) {
      throw ValidationError("--maxphyaddr is \(maxphyaddr) (32...52)")
    }
  }

  func run() throws {
    var output = StandardOutput()
    guard let encoder else {
      for line in LayoutList(width: maxphyaddr ?? 46).lines(json: json, markdown: markdown) {
        try output.write(line)
      }
      return try output.flush()
    }
    let layout: SPTELayout
    do {
      layout = try encoder.encoder(self.layout, width: maxphyaddr ?? 52).layout
    } catch {
      throw ValidationError("\(error)")
    }
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
          field.field.bitsDescription.padded(to: 6) + " " + field.field.name.padded(to: 22) + " "
            + forms.joined(separator: "+").padded(to: 11) + " " + field.field.meaning
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
}
