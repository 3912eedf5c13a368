/// An unsigned number in a JSON file of the project: an integer, or a string with a hex or decimal one.
public struct JSONInteger: Decodable, Hashable, Sendable {
  /// The number.
  public let value: UInt64

  /// Decodes either form.
  ///
  /// - Throws: `DecodingError.dataCorrupted` for negative, fractional or larger numbers and other text.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let text = try? container.decode(String.self) {
      guard let parsed = NumberNotation.integer(text) else {
        throw DecodingError.dataCorruptedError(
          in: container,
          debugDescription: "'\(text.prefix(40))' is not a number (hex with 0x, or decimal)")
      }
      value = parsed
    } else if let number = try? container.decode(UInt64.self) {
      value = number
    } else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription: "not a number (an integer of 64 bits, or a string with a hex one)")
    }
  }
}

extension KeyedDecodingContainer {
  /// A number in either form.
  public func integer(_ key: Key) throws -> UInt64 {
    try decode(JSONInteger.self, forKey: key).value
  }

  /// A number in either form, or `nil` where the key is absent or null.
  public func integerIfPresent(_ key: Key) throws -> UInt64? {
    try decodeIfPresent(JSONInteger.self, forKey: key)?.value
  }

  /// A number in either form that must fit a range.
  ///
  /// - Throws: `DecodingError.dataCorrupted` that names the range.
  public func integerIfPresent(_ key: Key, in range: ClosedRange<UInt64>) throws -> UInt64? {
    guard let value = try integerIfPresent(key) else { return nil }
    guard range.contains(value) else {
      throw DecodingError.dataCorruptedError(
        forKey: key, in: self,
        debugDescription: "\(value) is out of range (\(range.lowerBound)...\(range.upperBound))")
    }
    return value
  }

  /// A flag: 0 or 1, or true or false; `false` where the key is absent.
  public func flag(_ key: Key) throws -> Bool { try flagIfPresent(key) ?? false }

  /// A flag, or `nil` where the key is absent or null.
  public func flagIfPresent(_ key: Key) throws -> Bool? {
    if let flag = try? decodeIfPresent(Bool.self, forKey: key) { return flag }
    return try integerIfPresent(key, in: 0...1).map { $0 == 1 }
  }
}
