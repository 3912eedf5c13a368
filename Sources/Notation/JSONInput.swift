import FoundationEssentials

/// Decodes JSON that somebody else wrote, and tells in one line what is wrong with it.
public enum JSONInput {
  /// Decodes one value.
  ///
  /// - Throws: `JSONInputError`, whose description is one line.
  public static func decode<Value: Decodable>(
    _ type: Value.Type, from bytes: some Sequence<UInt8>
  ) throws(JSONInputError) -> Value {
    do {
      return try JSONDecoder().decode(type, from: Data(bytes))
    } catch let error as DecodingError {
      throw JSONInputError(error)
    } catch {
      throw JSONInputError(message: "not valid JSON")
    }
  }
}
