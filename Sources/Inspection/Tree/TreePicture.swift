public import Paging
public import Report

/// A tree drawn in text, each table once, links to tables drawn before marked.
public struct TreePicture: Sendable {
  private let tree: TableTree
  private let mostChildren: Int
  private let mostLines: Int
  private let style: TextStyler

  /// A drawing of at most `mostLines` tables, and of `mostChildren` of one table.
  public init(
    _ tree: TableTree, mostChildren: Int = 24, mostLines: Int = 4096,
    styled style: TextStyler = .plain
  ) {
    self.tree = tree
    self.style = style
    self.mostChildren = mostChildren
    self.mostLines = mostLines
  }

  /// The lines.
  public var lines: [String] {
    var lines: [String] = []
    var drawn: Set<Int> = []
    for root in tree.roots { draw(root, "", "", "", &drawn, &lines) }
    return lines
  }

  private func draw(
    _ place: Int, _ first: String, _ rest: String, _ label: String, _ drawn: inout Set<Int>,
    _ lines: inout [String]
  ) {
    guard lines.count < mostLines else { return }
    let node = tree.nodes[place]
    var line = style("\(first)\(label)", .faint) + style("\(node.name) \(node.address)", .heading)
    guard drawn.insert(place).inserted else {
      lines.append(line + style("  (drawn above)", .faint))
      return
    }
    line += "  from \(node.start)  \(node.bar)"
    if node.tables > 0 { line += "  " + counted(node.tables, "table") }
    if node.pages > 0 { line += "  \(counted(node.pages, "page")) of \(node.pageSize)" }
    if node.links > 1 { line += "  linked \(node.links) times" }
    if node.malformed > 0 { line += style("  \(node.malformed) malformed", .bad) }
    if node.isUnreadable { line += style("  not wholly in the image", .bad) }
    lines.append(line)
    let shown = node.children.prefix(mostChildren)
    for (number, child) in shown.enumerated() {
      let isLast = number == shown.count - 1 && shown.count == node.children.count
      draw(
        child.node, rest + (isLast ? "└─ " : "├─ "), rest + (isLast ? "   " : "│  "),
        "[\(child.index)] ", &drawn, &lines)
    }
    if shown.count < node.children.count {
      lines.append(
        style("\(rest)└─ … \(counted(node.children.count - shown.count, "table")) more", .faint))
    }
  }
}

extension TableTree.Node {
  /// `PT`, `PD`, `PDPT`, `PML4` or `PML5`.
  public var name: String { TableTree.name(of: level) }

  /// The size of the pages that its entries map.
  public var pageSize: PageSize {
    PageSize(shift: coverage.shift - capacity.trailingZeroBitCount)
  }

  /// How many of its entries are in use. **Units** entries.
  public var used: Int { tables + pages + malformed }

  /// Eight cells, each an eighth of the entries, filled as many as are in use.
  var bar: String {
    let filled = min((used * 8 + capacity - 1) / capacity, 8)
    return "[" + String(repeating: "#", count: filled)
      + String(repeating: ".", count: 8 - filled) + "]"
  }
}

extension TableTree {
  /// What a table of a level is called.
  public static func name(of level: Level) -> String {
    switch level.rawValue {
    case 1: "PT"
    case 2: "PD"
    case 3: "PDPT"
    default: "PML\(level)"
    }
  }
}
