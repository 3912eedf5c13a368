import Report

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
    let picture = TreePicture(tree).lines.map(\.escapedForHTML).joined(separator: "\n")
    return HTMLPage(
      title: title,
      body: """
        <table><thead><tr>\(heads.map { "<th>\($0)</th>" }.joined())</tr></thead>
        <tbody>\(rows.joined(separator: "\n"))</tbody></table>
        \(TreeDrawing(tree).svg)
        <details><summary>Every table</summary><pre>\(picture)</pre></details>
        """
    ).html
  }
}
