import Notation
import Yams

/// A node of a scenario with its line, and the typed readings that the decoder asks for.
struct YAMLValue {
  private let node: Node
  /// The line, from 1.
  let line: Int

  init(_ node: Node, line: Int) {
    self.node = node
    self.line = node.mark?.line ?? line
  }

  func error(_ message: String) -> ScenarioError { ScenarioError(line: line, message) }

  /// The scalar's text.
  func string() throws(ScenarioError) -> String {
    guard case .scalar(let scalar) = node else { throw error("text is expected here") }
    return scalar.string
  }

  /// A number: `4096`, `0x1000`, `4 KiB`; never octal.
  func number(_ range: ClosedRange<UInt64> = 0...UInt64.max) throws(ScenarioError) -> UInt64 {
    let text = try string()
    guard let value = NumberNotation.bytes(text) else {
      throw error("'\(text.prefix(40))' is not a number (such as 4096, 0x1000 or 4 KiB)")
    }
    guard range.contains(value) else {
      throw error(
        "\(text.prefix(40)) is out of range (\(Self.plain(range.lowerBound)) to"
          + " \(Self.plain(range.upperBound)))")
    }
    return value
  }

  /// A number of up to 128 bits: decimal, or hex with `0x`.
  func wideNumber() throws(ScenarioError) -> UInt128 {
    let text = try string()
    let value =
      text.hasPrefix("0x") ? UInt128(text.dropFirst(2), radix: 16) : UInt128(text, radix: 10)
    guard let value, text.first != "+", text.dropFirst(2).first != "+" else {
      throw error("'\(text.prefix(40))' is not a number of up to 128 bits")
    }
    return value
  }

  func flag() throws(ScenarioError) -> Bool {
    switch try string() {
    case "true": return true
    case "false": return false
    case let text: throw error("'\(text.prefix(40))' is neither true nor false")
    }
  }

  /// One of a set of words.
  func choice<Value>(_ choices: KeyValuePairs<String, Value>) throws(ScenarioError) -> Value {
    let text = try string()
    if let match = choices.first(where: { $0.key == text }) { return match.value }
    throw error(
      "'\(text.prefix(40))' is not allowed (\(choices.map(\.key).joined(separator: ", ")))")
  }

  func list() throws(ScenarioError) -> [YAMLValue] {
    guard case .sequence(let sequence) = node else { throw error("a list is expected here") }
    return sequence.map { YAMLValue($0, line: line) }
  }

  func mapping() throws(ScenarioError) -> YAMLMapping {
    guard case .mapping(let mapping) = node else {
      throw error("'key: value' pairs are expected here")
    }
    var pairs: [(key: String, value: YAMLValue)] = []
    for (key, value) in mapping {
      let key = YAMLValue(key, line: line)
      pairs.append((try key.string(), YAMLValue(value, line: key.line)))
    }
    return YAMLMapping(pairs: pairs, line: line)
  }

  /// Whether the node is a mapping.
  var isMapping: Bool { if case .mapping = node { true } else { false } }

  private static func plain(_ value: UInt64) -> String {
    value > 0xFFFF ? "0x" + String(value, radix: 16) : String(value)
  }
}

/// A mapping whose keys are taken one by one; what is left at the end is unknown.
struct YAMLMapping {
  private(set) var pairs: [(key: String, value: YAMLValue)]
  /// The line, from 1.
  let line: Int
  private var asked: [String] = []

  init(pairs: [(key: String, value: YAMLValue)], line: Int) {
    self.pairs = pairs
    self.line = line
  }

  /// Takes a key, if it is there.
  mutating func take(_ key: String) -> YAMLValue? {
    asked.append(key)
    guard let index = pairs.firstIndex(where: { $0.key == key }) else { return nil }
    return pairs.remove(at: index).value
  }

  /// Takes a key that must be there.
  mutating func need(_ key: String) throws(ScenarioError) -> YAMLValue {
    guard let value = take(key) else {
      throw ScenarioError(line: line, "the key '\(key)' is missing")
    }
    return value
  }

  /// Refuses the keys that nobody asked for.
  func finish() throws(ScenarioError) {
    guard let (key, value) = pairs.first else { return }
    throw value.error(
      "unknown key '\(key.prefix(40))' (allowed: \(asked.joined(separator: ", ")))")
  }
}
