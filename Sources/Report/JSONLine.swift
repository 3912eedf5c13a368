public import Paging

/// One JSON object, its keys in the order in which they are added.
public struct JSONLine: Sendable {
  /// The object so far, without its closing brace.
  private var text = "{"

  /// An object without keys.
  public init() {}

  /// The object on one line, without a line feed.
  public var line: String { text + "}" }

  /// Adds a string.
  public mutating func add(_ key: String, _ value: String) {
    begin(key)
    Self.quote(value, into: &text)
  }

  /// Adds a count.
  public mutating func add(_ key: String, _ value: Int) {
    begin(key)
    text += String(value)
  }

  /// Adds a flag.
  public mutating func add(_ key: String, _ value: Bool) {
    begin(key)
    text += value ? "true" : "false"
  }

  /// Adds an address or a raw value, as a hex string.
  public mutating func add(_ key: String, hex value: UInt64) {
    begin(key)
    text += "\"" + value.hex + "\""
  }

  /// Adds an address, as a hex string.
  public mutating func add<Kind>(_ key: String, _ value: Address<Kind>) {
    add(key, hex: value.rawValue)
  }

  /// Adds null.
  public mutating func addNull(_ key: String) {
    begin(key)
    text += "null"
  }

  /// Adds an object.
  public mutating func add(_ key: String, _ value: JSONLine) {
    begin(key)
    text += value.line
  }

  /// Adds a list of objects.
  public mutating func add(_ key: String, _ values: [JSONLine]) {
    begin(key)
    text += "[" + values.map(\.line).joined(separator: ",") + "]"
  }

  /// Adds a list of strings.
  public mutating func add(_ key: String, _ values: [String]) {
    begin(key)
    text += "["
    for (index, value) in values.enumerated() {
      if index > 0 { text += "," }
      Self.quote(value, into: &text)
    }
    text += "]"
  }

  private mutating func begin(_ key: String) {
    if text.utf8.count > 1 { text += "," }
    Self.quote(key, into: &text)
    text += ":"
  }

  private static func quote(_ value: String, into text: inout String) {
    text += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": text += "\\\""
      case "\\": text += "\\\\"
      case "\n": text += "\\n"
      case "\r": text += "\\r"
      case "\t": text += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }
}
