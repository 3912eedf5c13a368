/// A page of HTML that needs no other file: one look for everything that is written as a page.
public struct HTMLPage: Sendable {
  /// The heading; any text.
  public var title: String
  /// What stands under it, as HTML.
  public var body: String

  /// A page.
  public init(title: String, body: String) {
    self.title = title
    self.body = body
  }

  /// The whole page.
  public var html: String {
    """
    <!DOCTYPE html>
    <html lang="en">
    <head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
    <title>\(title.escapedForHTML)</title>
    <style>
    body{font-family:sans-serif;margin:2em auto;max-width:1240px;padding:0 1em;color:#222;background:#fff}
    table{border-collapse:collapse;margin:1em 0}
    td,th{padding:.25em .8em;text-align:right;border-bottom:1px solid #ddd;vertical-align:top}
    td:first-child,th:first-child{text-align:left;font-weight:bold}
    td.words,th.words{text-align:left;font-weight:normal}
    pre{background:#f6f8fa;padding:1em;overflow-x:auto;font-size:12px;line-height:1.3}
    svg{width:100%;border:1px solid #ddd}
    summary{cursor:pointer}
    .failed{background:#fdecea}.failed summary::before{content:"✗ ";color:#b3261e}
    .note{color:#666}
    </style></head>
    <body>
    <h1>\(title.escapedForHTML)</h1>
    \(body)
    </body>
    </html>
    """
  }
}

extension String {
  /// The text with what HTML would take for markup written out.
  public var escapedForHTML: String {
    var result = ""
    for character in self {
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
