public import Paging

/// One JSON object, its keys in the order in which they are added.
public struct JSONLine: Sendable {
  /// The object so far, without its closing brace.
  private var bytes: [UInt8] = [UInt8(ascii: "{")]

  /// An object without keys.
  public init() {}

  /// The object on one line, without a line feed.
  public var line: String { String(decoding: utf8, as: UTF8.self) }

  /// The bytes of `line`.
  public var utf8: [UInt8] { bytes + [UInt8(ascii: "}")] }

  /// Adds a string.
  public mutating func add(_ key: String, _ value: String) {
    begin(key)
    quote(value)
  }

  /// Adds a count.
  public mutating func add(_ key: String, _ value: Int) {
    begin(key)
    append(String(value))
  }

  /// Adds a finite number; null where it is none.
  public mutating func add(_ key: String, _ value: Double) {
    begin(key)
    append(value.isFinite ? "\(value)" : "null")
  }

  /// Adds a flag.
  public mutating func add(_ key: String, _ value: Bool) {
    begin(key)
    append(value ? "true" : "false")
  }

  /// Adds an address or a raw value, as a hex string.
  public mutating func add(_ key: String, hex value: UInt64) {
    begin(key)
    append("\"")
    appendHex(value)
    append("\"")
  }

  /// Adds an address, as a hex string.
  public mutating func add<Kind>(_ key: String, _ value: Address<Kind>) {
    add(key, hex: value.rawValue)
  }

  /// Adds null.
  public mutating func addNull(_ key: String) {
    begin(key)
    append("null")
  }

  /// Adds an object.
  public mutating func add(_ key: String, _ value: JSONLine) {
    begin(key)
    bytes += value.utf8
  }

  /// Adds a list of objects.
  public mutating func add(_ key: String, _ values: [JSONLine]) {
    begin(key)
    append("[")
    for (index, value) in values.enumerated() {
      if index > 0 { append(",") }
      bytes += value.utf8
    }
    append("]")
  }

  /// Adds a list of strings.
  public mutating func add(_ key: String, _ values: [String]) {
    begin(key)
    append("[")
    for (index, value) in values.enumerated() {
      if index > 0 { append(",") }
      quote(value)
    }
    append("]")
  }

  /// Adds a list of counts.
  public mutating func add(_ key: String, _ values: [Int]) {
    begin(key)
    append("[" + values.map(String.init).joined(separator: ",") + "]")
  }

  private mutating func begin(_ key: String) {
    if bytes.count > 1 { append(",") }
    quote(key)
    append(":")
  }

  private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

  /// `0x` and the digits without leading zeros, as `UInt64.hex`.
  private mutating func appendHex(_ value: UInt64) {
    append("0x")
    var shift = (max(64 - value.leadingZeroBitCount, 1) + 3) / 4 * 4
    while shift > 0 {
      shift -= 4
      bytes.append(Self.hexDigit(UInt8(truncatingIfNeeded: value >> UInt64(shift)) & 15))
    }
  }

  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }

  private mutating func quote(_ value: String) {
    append("\"")
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\""): append("\\\"")
      case UInt8(ascii: "\\"): append("\\\\")
      case UInt8(ascii: "\n"): append("\\n")
      case UInt8(ascii: "\r"): append("\\r")
      case UInt8(ascii: "\t"): append("\\t")
      case 0..<0x20:
        append("\\u00")
        bytes.append(Self.hexDigit(byte >> 4))
        bytes.append(Self.hexDigit(byte & 15))
      default: bytes.append(byte)
      }
    }
    append("\"")
  }
}
