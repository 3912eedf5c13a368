/// The type of a plugin's function, as text such as `u64(u32 maxphyaddr, u64 me_mask)`.
///
/// The grammar: a return type, then in parentheses the parameters, each a type and a name, separated
/// by commas. A struct is `{u64 value; u64 mask;}` or, without names, `{u64,u64}`; structs nest.
public struct Signature: Sendable, Hashable {
  /// What the function returns.
  public let returns: CType
  /// What it takes, in its own order.
  public let parameters: [Parameter]

  /// A parameter.
  public struct Parameter: Sendable, Hashable {
    /// The hook's name for it.
    public let name: String
    /// Its type, never `void`.
    public let type: CType

    /// A parameter.
    public init(_ name: String, _ type: CType) {
      self.name = name
      self.type = type
    }
  }

  /// A signature.
  public init(returns: CType, parameters: [Parameter]) {
    self.returns = returns
    self.parameters = parameters
  }

  /// Reads a signature from text.
  ///
  /// - Throws: `SignatureError` with the place and what was expected there.
  public init(parsing text: String) throws(SignatureError) {
    var parser = try SignatureParser(text)
    self = try parser.signature()
  }
}

extension Signature: CustomStringConvertible {
  /// The signature in one canonical spelling; parses to itself.
  public var description: String {
    "\(returns)(" + parameters.map { "\($0.type) \($0.name)" }.joined(separator: ", ") + ")"
  }
}
