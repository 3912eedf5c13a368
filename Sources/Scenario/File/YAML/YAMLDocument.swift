import Yams

/// A scenario's YAML, read as untrusted: bounded in size and depth, no anchors, no aliases, no tags.
enum YAMLDocument {
  /// The largest file that is read. **Units** bytes.
  static var largestFile: Int { 4 << 20 }
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
      // The basic resolver leaves every plain scalar a text, so that what is written can be read.
      guard let node = try Yams.compose(yaml: text, .basic) else {
        throw ScenarioError(line: nil, "the file is empty (a scenario begins with 'scenario: 1')")
      }
      try check(node, line: 1, depth: 0)
      return YAMLValue(node, line: 1)
    } catch let error as ScenarioError {
      throw error
    } catch let error as YamlError {
      throw describe(error)
    } catch {
      throw ScenarioError(line: nil, "not valid YAML")
    }
  }

  /// Refuses tags, anchors and deep nesting, in the file's order.
  private static func check(_ node: Node, line: Int, depth: Int) throws(ScenarioError) {
    let line = node.mark?.line ?? line
    guard depth <= deepest else {
      throw ScenarioError(line: line, "nested deeper than \(deepest) levels")
    }
    guard node.anchor == nil else { throw ScenarioError(line: line, "anchors are refused") }
    let tag = node.tag.description
    guard plainTags.contains(tag) else {
      throw ScenarioError(line: line, "tags are refused; here is '\(tag.prefix(40))'")
    }
    switch node {
    case .scalar: break
    case .sequence(let sequence):
      for item in sequence { try check(item, line: line, depth: depth + 1) }
    case .mapping(let mapping):
      for (key, value) in mapping {
        try check(key, line: line, depth: depth + 1)
        try check(value, line: line, depth: depth + 1)
      }
    case .alias: throw ScenarioError(line: line, "aliases are refused")
    }
  }

  private static let plainTags: Set<String> = [
    "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map",
  ]

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

/// A look at the raw text before it is parsed, so that aliases cannot cost more than the file's length.
///
/// It does not try to tell text and comments from the rest, since a file could be written to mislead
/// it: no word begins like an anchor anywhere. libyaml bounds nesting by itself.
enum YAMLGuard {
  static func check(_ bytes: [UInt8]) throws(ScenarioError) {
    var line = 1
    var previous = UInt8(ascii: "\n")
    for (index, byte) in bytes.enumerated() {
      defer { previous = byte }
      if byte == UInt8(ascii: "\n") { line += 1 }
      guard byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") else { continue }
      let next = index + 1 < bytes.count ? bytes[index + 1] : 0x20
      if mayName(next), !mayEndWord(previous) {
        throw ScenarioError(
          line: line, "anchors and aliases are refused (no word begins with & or *)")
      }
    }
  }

  /// Whether a byte may be part of an anchor's name.
  private static func mayName(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
  }

  /// Whether what follows a byte on the same line is surely no new word.
  private static func mayEndWord(_ byte: UInt8) -> Bool {
    isLetterOrDigit(byte) || ")_\"'&*.".utf8.contains(byte)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
  }
}
