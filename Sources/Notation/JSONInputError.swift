import FoundationEssentials

/// What is wrong with a JSON text, in one line.
public struct JSONInputError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The line.
  public let description: String

  init(message: String) { description = message }

  init(_ error: DecodingError) {
    switch error {
    case .keyNotFound(let key, let context):
      description = Self.place(context) + "the key \"\(key.stringValue)\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      description = Self.place(context) + Self.oneLine(context.debugDescription)
    case .dataCorrupted(let context):
      let detail = Self.oneLine(context.debugDescription)
      description =
        context.codingPath.isEmpty && context.underlyingError != nil
        ? "not valid JSON" : Self.place(context) + detail
    @unknown default: description = "not valid JSON"
    }
  }

  private static func place(_ context: DecodingError.Context) -> String {
    let path = context.codingPath.prefix(4).map { oneLine($0.stringValue) }
    return path.isEmpty ? "" : path.joined(separator: ".") + ": "
  }

  private static func oneLine(_ text: String) -> String {
    String(text.prefix(160).map { $0.isNewline ? " " : $0 })
  }
}
