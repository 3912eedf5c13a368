import Yams

/// A scenario's YAML, read as untrusted: bounded in size and depth, no anchors, no aliases.
enum YAMLDocument {
  /// The largest file that is read. **Units** bytes.
  static var largestFile: Int { 16 << 20 }
  /// The deepest nesting that is read.
  static var deepest: Int { 64 }

  /// The document's root node.
  static func read(_ bytes: [UInt8]) throws(ScenarioError) -> YAMLValue {
    guard bytes.count <= largestFile else {
      throw ScenarioError(line: nil, "the file has \(bytes.count) bytes (at most \(largestFile))")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw ScenarioError(line: nil, "the file is not UTF-8 text")
    }
    try YAMLGuard.check(bytes)
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw ScenarioError(line: nil, "the file is empty (a scenario begins with 'scenario: 1')")
      }
      return YAMLValue(node, line: 1)
    } catch let error as ScenarioError {
      throw error
    } catch let error as YamlError {
      throw describe(error)
    } catch {
      throw ScenarioError(line: nil, "not valid YAML")
    }
  }

  private static func describe(_ error: YamlError) -> ScenarioError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return ScenarioError(line: mark.line, "not valid YAML: \(problem)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      return ScenarioError(
        line: context.mark.line,
        "the key \(duplicates.map { "'\($0.prefix(40))'" }.joined(separator: ", ")) is there twice")
    default: return ScenarioError(line: nil, "not valid YAML")
    }
  }
}

/// A look at the raw text before it is parsed, so that nesting and aliases cannot cost more than the
/// file's length.
enum YAMLGuard {
  static func check(_ bytes: [UInt8]) throws(ScenarioError) {
    var line = 1
    var depth = 0
    var quote: UInt8?
    var isEscaped = false
    var isComment = false
    /// Whether a node may begin here: at a line's start, after white space that follows an
    /// indicator, or after a flow indicator.
    var startsNode = true
    var lineIndicators = 0
    for (index, byte) in bytes.enumerated() {
      if byte == UInt8(ascii: "\n") {
        line += 1
        isComment = false
        lineIndicators = 0
        if quote == nil { startsNode = true }
        continue
      }
      if isComment { continue }
      if let open = quote {
        if isEscaped {
          isEscaped = false
        } else if open == UInt8(ascii: "\""), byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == open {
          quote = nil
        }
        continue
      }
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): continue
      case UInt8(ascii: "#"):
        if index == 0 || bytes[index - 1] <= 0x20 { isComment = true }
      case UInt8(ascii: "\""), UInt8(ascii: "'"):
        if startsNode { quote = byte }
        startsNode = false
      case UInt8(ascii: "["), UInt8(ascii: "{"):
        depth += 1
        if depth > YAMLDocument.deepest {
          throw ScenarioError(line: line, "nested deeper than \(YAMLDocument.deepest) levels")
        }
        startsNode = true
      case UInt8(ascii: "]"), UInt8(ascii: "}"):
        depth = max(0, depth - 1)
        startsNode = false
      case UInt8(ascii: ","): startsNode = true
      case UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "?"):
        let next = index + 1 < bytes.count ? bytes[index + 1] : 0x0A
        if next <= 0x20 {
          lineIndicators += 1
          if lineIndicators > YAMLDocument.deepest {
            throw ScenarioError(line: line, "nested deeper than \(YAMLDocument.deepest) levels")
          }
          startsNode = true
        }
      case UInt8(ascii: "&"), UInt8(ascii: "*"):
        let next = index + 1 < bytes.count ? bytes[index + 1] : 0x0A
        if startsNode, next > 0x20 {
          throw ScenarioError(
            line: line, "anchors and aliases are refused (quote text that begins with & or *)")
        }
        startsNode = false
      default: startsNode = false
      }
    }
    try checkIndentation(bytes)
  }

  /// Block nesting needs a deeper indentation for each level.
  private static func checkIndentation(_ bytes: [UInt8]) throws(ScenarioError) {
    var line = 1
    var column = 0
    var isIndenting = true
    for byte in bytes {
      if byte == UInt8(ascii: "\n") {
        line += 1
        column = 0
        isIndenting = true
      } else if isIndenting, byte == UInt8(ascii: " ") {
        column += 1
        if column > 4 * YAMLDocument.deepest {
          throw ScenarioError(
            line: line, "indented by more than \(4 * YAMLDocument.deepest) columns")
        }
      } else {
        isIndenting = false
      }
    }
  }
}
