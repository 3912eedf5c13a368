/// What a part of a line is to people who look at it on a terminal.
public enum TextStyle: Sendable, CaseIterable {
  /// Names what follows.
  case heading
  /// Went through.
  case good
  /// Refused, or worth a look.
  case bad
  /// Detail.
  case faint

  /// The parameter of "select graphic rendition".
  ///
  /// **Source** ECMA-48, "SGR – SELECT GRAPHIC RENDITION".
  fileprivate var parameter: Int {
    switch self {
    case .heading: 1
    case .good: 32
    case .bad: 31
    case .faint: 2
    }
  }
}

/// Puts styles on text, or leaves it as it is.
public struct TextStyler: Hashable, Sendable {
  private let isOn: Bool

  /// A styler that does so, or does not.
  public init(isOn: Bool) { self.isOn = isOn }

  /// Leaves every text as it is.
  public static let plain = TextStyler(isOn: false)

  /// The text in a style.
  public func callAsFunction(_ text: String, _ style: TextStyle?) -> String {
    guard isOn, let style, !text.isEmpty else { return text }
    return "\u{1B}[\(style.parameter)m\(text)\u{1B}[0m"
  }
}
