/// Where and why a text is not a signature.
public struct SignatureError: Error, Sendable, Hashable {
  /// The place in the text. **Units** bytes from 1.
  public let position: Int
  /// What is wrong there.
  public let reason: String
}

extension SignatureError: CustomStringConvertible {
  /// One line.
  public var description: String { "at character \(position): \(reason)" }
}
