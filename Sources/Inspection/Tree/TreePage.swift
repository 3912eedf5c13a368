/// A tree as one HTML page that needs no other file: counts, drawing, picture.
public struct TreePage: Sendable {
  private let tree: TableTree
  private let title: String

  /// A page under a title, which may hold any text.
  public init(_ tree: TableTree, title: String) {
    self.tree = tree
    self.title = title
  }

  /// The page.
  public var html: String {
    let rows = TreeSummary(tree).rows.map { row in
      let cells = [
        TableTree.name(of: row.level), "\(row.tables)", "\(row.shared)", "\(row.mostLinks)",
        "\(row.links)", row.pages > 0 ? "\(row.pages) × \(row.pageSize)" : "–",
        "\(row.malformed)", "\(row.unreadable)",
      ]
      return "<tr>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>"
    }
    let heads = [
      "level", "tables", "shared", "most links", "links to tables", "pages", "malformed",
      "not whole",
    ]
    let picture = TreePicture(tree).lines.map(Self.escaped).joined(separator: "\n")
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head><meta charset="utf-8"><title>\(Self.escaped(title))</title>
      <style>
      body{font-family:sans-serif;margin:2em auto;max-width:1240px;padding:0 1em;color:#222}
      table{border-collapse:collapse;margin:1em 0}
      td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid #ddd}
      td:first-child,th:first-child{text-align:left;font-weight:bold}
      pre{background:#f6f8fa;padding:1em;overflow-x:auto;font-size:12px;line-height:1.3}
      svg{width:100%;border:1px solid #ddd}
      </style></head>
      <body>
      <h1>\(Self.escaped(title))</h1>
      <table><thead><tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table>
      \(TreeDrawing(tree).svg)
      <details><summary>Every table</summary><pre>\(picture)</pre></details>
      </body>
      </html>
      """
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      default: result.append(character)
      }
    }
    return result
  }
}
