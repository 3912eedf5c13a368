import Notation
import Paging
import Yams

/// A node of a scenario with its line, and the typed readings that the decoder asks for.
struct YAMLValue {
  private let node: Node
  /// The line, from 1.
  let line: Int
  /// Which key of which object this is the value of, where decoding is watched.
  private let place: DecodingLog.Place?

  init(_ node: Node, line: Int, place: DecodingLog.Place? = nil) {
    self.node = node
    self.line = node.mark?.line ?? line
    self.place = place
  }

  func error(_ message: String) -> ScenarioError { ScenarioError(line: line, message) }

  /// The scalar's text.
  func string() throws(ScenarioError) -> String {
    place?.note(.text)
    return try scalar()
  }

  private func scalar() throws(ScenarioError) -> String {
    guard case .scalar(let scalar) = node else { throw error("text is expected here") }
    return scalar.string
  }

  /// A number: `4096`, `0x1000`, `4 KiB`; never octal.
  ///
  /// - Parameter widest: what any file may say here, where this one's machine narrows it.
  func number(
    _ range: ClosedRange<UInt64> = 0...UInt64.max, widest: ClosedRange<UInt64>? = nil
  ) throws(ScenarioError) -> UInt64 {
    place?.note(.number(widest ?? range))
    let text = try scalar()
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
    place?.note(.wideNumber)
    let text = try scalar()
    let isHex = text.hasPrefix("0x")
    let digits = isHex ? text.dropFirst(2) : text[...]
    // The initialiser would take a sign.
    guard let value = UInt128(digits, radix: isHex ? 16 : 10),
      digits.first?.isHexDigit == true
    else {
      throw error("'\(text.prefix(40))' is not a number of up to 128 bits")
    }
    return value
  }

  func flag() throws(ScenarioError) -> Bool {
    place?.note(.flag)
    switch try scalar() {
    case "true": return true
    case "false": return false
    case let text: throw error("'\(text.prefix(40))' is neither true nor false")
    }
  }

  /// One of a set of words.
  func choice<Value>(_ choices: KeyValuePairs<String, Value>) throws(ScenarioError) -> Value {
    place?.note(.choice(choices.map(\.key)))
    let text = try scalar()
    if let match = choices.first(where: { $0.key == text }) { return match.value }
    throw error(
      "'\(text.prefix(40))' is not allowed (\(choices.map(\.key).joined(separator: ", ")))")
  }

  /// One of the words of an enumeration.
  func choice<Word: CaseIterable & RawRepresentable>(
    of type: Word.Type
  ) throws(ScenarioError) -> Word where Word.RawValue == String {
    place?.note(.choice(type.allCases.map(\.rawValue)))
    let text = try scalar()
    if let word = Word(rawValue: text) { return word }
    let words = type.allCases.map(\.rawValue).joined(separator: ", ")
    throw error("'\(text.prefix(40))' is not allowed (\(words))")
  }

  /// One of the values of an enumeration, by the names that `name` gives them.
  func choice<Value: CaseIterable>(
    _ type: Value.Type, _ name: (Value) -> String
  ) throws(ScenarioError) -> Value {
    place?.note(.choice(type.allCases.map(name)))
    let text = try scalar()
    if let value = type.allCases.first(where: { name($0) == text }) { return value }
    let names = type.allCases.map(name).joined(separator: ", ")
    throw error("'\(text.prefix(40))' is not allowed (\(names))")
  }

  func list() throws(ScenarioError) -> [YAMLValue] {
    place?.note(.list)
    guard case .sequence(let sequence) = node else { throw error("a list is expected here") }
    return sequence.map { YAMLValue($0, line: line, place: place?.item) }
  }

  /// The node as an object of a kind.
  ///
  /// - Parameter name: what the JSON Schema calls objects of this kind.
  func mapping(_ name: String) throws(ScenarioError) -> YAMLMapping {
    guard case .mapping(let mapping) = node else {
      throw error("'key: value' pairs are expected here")
    }
    place?.note(.object(name))
    DecodingLog.current?.began(name)
    var pairs: [(key: String, value: YAMLValue)] = []
    for (key, value) in mapping {
      let key = YAMLValue(key, line: line)
      let text = try key.string()
      pairs.append(
        (text, YAMLValue(value, line: key.line, place: DecodingLog.place(name, text))))
    }
    return YAMLMapping(name: name, pairs: pairs, line: line)
  }

  private static func plain(_ value: UInt64) -> String {
    value > 0xFFFF ? "0x" + String(value, radix: 16) : String(value)
  }
}

extension YAMLValue {
  /// The address of a page.
  func page(_ name: String = "the address") throws(ScenarioError) -> GPA {
    let address = GPA(try number(0...(1 << 52) - 4096))
    guard address.offset(in: .size4KiB) == 0 else {
      throw error("\(name) is a multiple of 4 KiB")
    }
    return address
  }
}
