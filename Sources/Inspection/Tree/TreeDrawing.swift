import Report

/// A tree drawn as SVG: a row a level, a box a table, filled as full as the table is.
public struct TreeDrawing: Sendable {
  private let tree: TableTree
  private let mostBoxes: Int

  /// A drawing with at most `mostBoxes` tables in a row.
  public init(_ tree: TableTree, mostBoxes: Int = 256) {
    self.tree = tree
    self.mostBoxes = mostBoxes
  }

  private static var width: Double { 1200 }
  private static var margin: Double { 96 }
  private static var rowHeight: Double { 110 }
  private static var boxHeight: Double { 40 }

  private struct Box {
    let node: Int
    let x: Double
    let y: Double
    let width: Double
  }

  /// The drawing.
  public var svg: String {
    let levels = Set(tree.nodes.map(\.level)).sorted(by: >)
    var boxes: [Int: Box] = [:]
    var parts: [String] = []
    for (row, level) in levels.enumerated() {
      let y = 40 + Double(row) * Self.rowHeight
      let all = tree.nodes.indices.filter { tree.nodes[$0].level == level }
      let shown = all.prefix(mostBoxes)
      let room = Self.width - Self.margin - 16
      let step = room / Double(max(shown.count, 1))
      let width = min(max(step * 0.8, 1.5), 110)
      for (number, node) in shown.enumerated() {
        let x = Self.margin + (Double(number) + 0.5) * step - width / 2
        boxes[node] = Box(node: node, x: x, y: y, width: width)
      }
      let hidden = all.count - shown.count
      parts.append(
        #"<text x="8" y="\#((y + 16).svg)" class="level">\#(TableTree.name(of: level))</text>"#
          + #"<text x="8" y="\#((y + 32).svg)" class="count">\#(all.count)"#
          + (hidden > 0 ? " (\(shown.count) drawn)" : all.count == 1 ? " table" : " tables")
          + "</text>")
    }
    for box in boxes.values.sorted(by: { $0.node < $1.node }) {
      // A table may link another one 512 times; one line says so.
      var links: [(node: Int, count: Int)] = []
      for child in tree.nodes[box.node].children {
        if let known = links.firstIndex(where: { $0.node == child.node }) {
          links[known].count += 1
        } else {
          links.append((child.node, 1))
        }
      }
      for (node, count) in links {
        guard let target = boxes[node] else { continue }
        parts.append(link(box, target, count, isShared: tree.nodes[node].links > 1))
      }
    }
    for box in boxes.values.sorted(by: { $0.node < $1.node }) { parts.append(draw(box)) }
    let height = 56 + Double(max(levels.count, 1) - 1) * Self.rowHeight + Self.boxHeight
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Self.width.svg) \(height.svg)" \
      font-family="sans-serif" role="img" aria-label="Page tables">
      <style>.level{font-size:15px;font-weight:bold;fill:#222}.count{font-size:11px;fill:#666}\
      .name{font-size:11px;fill:#222}.table{fill:#eef2f6;stroke:#4a6a8a}.shared{stroke:#c2571a}\
      .broken{stroke:#c00;stroke-dasharray:4 2}.used{fill:#9dbbd8}.pages{fill:#8cc08c}\
      .link{fill:none;stroke:#4a6a8a;stroke-opacity:.45}.sharedlink{stroke:#c2571a;stroke-opacity:.8}\
      .times{font-size:11px;fill:#c2571a;stroke:#fff;stroke-width:3px;paint-order:stroke}</style>
      <rect width="\(Self.width.svg)" height="\(height.svg)" fill="#fff"/>
      \(legend)
      \(parts.joined(separator: "\n"))
      </svg>
      """
  }

  private var legend: String {
    let items = [
      ("used", "entries that link tables"), ("pages", "entries that map pages"),
      ("table shared", "linked more than once"), ("table broken", "not wholly in the image"),
    ]
    return items.enumerated().map { number, item in
      let x = Self.margin + Double(number) * 220
      return #"<rect class="\#(item.0)" x="\#(x.svg)" y="8" width="14" height="12"/>"#
        + #"<text class="count" x="\#((x + 20).svg)" y="18">\#(item.1)</text>"#
    }.joined(separator: "\n")
  }

  private func draw(_ box: Box) -> String {
    let node = tree.nodes[box.node]
    var style = "table"
    if node.links > 1 { style += " shared" }
    if node.isUnreadable { style += " broken" }
    // One entry of 512 is a sliver that nobody would see.
    func part(_ count: Int) -> Double {
      count == 0 ? 0 : max(box.width * Double(count) / Double(max(node.capacity, 1)), 1)
    }
    let (links, pages) = (part(node.tables), part(node.pages))
    let title =
      "\(node.name) \(node.address) from \(node.start): \(node.tables) tables,"
      + " \(node.pages) pages of \(node.pageSize), linked \(node.links) times"
    var text =
      #"<g><title>\#(title)</title><rect class="\#(style)" x="\#(box.x.svg)" y="\#(box.y.svg)" "#
      + #"width="\#(box.width.svg)" height="\#(Self.boxHeight.svg)" rx="2"/>"#
      + #"<rect class="used" x="\#(box.x.svg)" y="\#((box.y + 26).svg)" width="\#(links.svg)" height="13"/>"#
      + #"<rect class="pages" x="\#((box.x + links).svg)" y="\#((box.y + 26).svg)" "#
      + #"width="\#(pages.svg)" height="13"/>"#
    if box.width >= 64 {
      text +=
        #"<text class="name" x="\#((box.x + box.width / 2).svg)" y="\#((box.y + 17).svg)" "#
        + #"text-anchor="middle">\#(node.address)</text>"#
    }
    return text + "</g>"
  }

  private func link(_ parent: Box, _ child: Box, _ count: Int, isShared: Bool) -> String {
    let (x1, y1) = (parent.x + parent.width / 2, parent.y + Self.boxHeight)
    let (x2, y2) = (child.x + child.width / 2, child.y)
    let middle = (y1 + y2) / 2
    let path =
      #"<path class="link\#(isShared ? " sharedlink" : "")" d="M\#(x1.svg) \#(y1.svg)"#
      + #"C\#(x1.svg) \#(middle.svg) \#(x2.svg) \#(middle.svg) \#(x2.svg) \#(y2.svg)"/>"#
    if count == 1 { return path }
    return path
      + #"<text class="times" x="\#(((x1 + x2) / 2 + 8).svg)" y="\#((middle + 4).svg)">× \#(count)</text>"#
  }
}
