import ArgumentParser
import GuestImage
import Inspection
import Paging
import Report
import SystemPackage
import X86

/// `mmu tree IMAGE`: the tables themselves.
struct Tree: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Draws the page tables of an address space: counts per level, sharing, a picture.",
    discussion: """
      Each table is counted once a level, however many entries link it. With --json one object a \
      level, top first: {"level","name","tables","shared","mostLinks","links","pages","pageSize",\
      "malformed","unreadable"}; then {"summary":{"tables","links","pages","cutShort"}}. --svg and \
      --html write a drawing, - to standard output.

      Examples:
        mmu tree guest.core
        mmu tree guest.core --html tree.html
      """)

  @OptionGroup var options: ImageOptions

  @Flag(help: "Print JSON Lines.")
  var json = false

  @Option(help: "Write the drawing as SVG to this file, - for standard output.")
  var svg: String?

  @Option(help: "Write an HTML page to this file, - for standard output.")
  var html: String?

  func validate() throws {
    if svg == "-" || html == "-", json || (svg == "-" && html == "-") {
      throw ValidationError("only one thing can go to standard output")
    }
  }

  func run() throws {
    let space = try options.openAddressSpace()
    let tree = TableTree(of: space)
    if tree.isCutShort {
      StandardError.write("mmu: note: the tree is cut short: more tables than can be drawn")
    }
    var output = StandardOutput()
    let name = FilePath(options.image).lastComponent?.string ?? options.image
    let title = "\(name), \(space.registers.mode.rawValue), CR3 \(space.registers.cr3.hex)"
    if let svg { try write(TreeDrawing(tree).svg, to: svg, &output) }
    if let html { try write(TreePage(tree, title: title).html, to: html, &output) }
    if svg == nil && html == nil {
      try print(tree, title: title, to: &output)
    } else if json {
      try print(tree, title: title, to: &output)
    }
    try output.flush()
  }

  private func print(
    _ tree: TableTree, title: String, to output: inout StandardOutput
  ) throws {
    let rows = TreeSummary(tree).rows
    if json {
      for row in rows { try output.write(Self.line(row)) }
      var totals = JSONLine()
      totals.add("tables", tree.nodes.count)
      totals.add("links", rows.reduce(0) { $0 + $1.links })
      totals.add("pages", rows.reduce(0) { $0 + $1.pages })
      totals.add("cutShort", tree.isCutShort)
      var line = JSONLine()
      line.add("summary", totals)
      try output.write(line)
      return
    }
    try output.write(Terminal.style(title, .heading))
    for row in rows {
      var words = ["\(TableTree.name(of: row.level)): \(counted(row.tables, "table"))"]
      if row.shared > 0 { words.append("\(row.shared) shared (up to \(row.mostLinks) links)") }
      if row.links > 0 { words.append("\(counted(row.links, "link")) to tables") }
      if row.pages > 0 { words.append("\(counted(row.pages, "page")) of \(row.pageSize)") }
      if row.malformed > 0 { words.append("\(row.malformed) malformed entries") }
      if row.unreadable > 0 { words.append("\(row.unreadable) not wholly in the image") }
      try output.write("  " + words.joined(separator: ", "))
    }
    for line in TreePicture(tree, styled: Terminal.style).lines { try output.write(line) }
  }

  private static func line(_ row: TreeSummary.Row) -> JSONLine {
    var line = JSONLine()
    line.add("level", row.level.rawValue)
    line.add("name", TableTree.name(of: row.level))
    line.add("tables", row.tables)
    line.add("shared", row.shared)
    line.add("mostLinks", row.mostLinks)
    line.add("links", row.links)
    line.add("pages", row.pages)
    line.add("pageSize", hex: row.pageSize.bytes)
    line.add("malformed", row.malformed)
    line.add("unreadable", row.unreadable)
    return line
  }

  private func write(
    _ text: String, to file: String, _ output: inout StandardOutput
  ) throws {
    if file == "-" { return try output.write(text) }
    try OutputFile.write(text + "\n", to: file)
  }
}
